import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { paperColumn } from "../../src/measure/paper.ts";
import { plotAccuracyMemory } from "../../src/report/plot.ts";
import { saveFigure, toPng, toSvg } from "../../src/report/render.ts";
import { madeUpRun, oneSeed, twoSeeds } from "./runs.ts";

const paper = paperColumn("SST-2");
const figure = plotAccuracyMemory(oneSeed, paper);
let svg = "";

beforeAll(async () => {
  svg = await toSvg(figure);
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "mezo-figure-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

test("the SVG names the methods, the axes with their units, what is the paper's and what the bars are", () => {
  const texts = [...svg.matchAll(/>([^<>]+)<\/t(?:ext|span)>/g)].map(([, text]) => text);
  expect(texts).toEqual(
    expect.arrayContaining([
      "SST-2 test accuracy (%)",
      "Peak memory of the process (MiB)",
      "majority class 49.5",
      "Zero-shot",
      "ICL",
      "MeZO",
      "Paper: OPT-13B",
      "open: the paper’s",
      "± binomial standard error of one run; n = 1,000 test rows.",
    ]),
  );
  // One bar for each marked method, and no text left of the picture.
  expect(svg.match(/class="yerror"/g)).toHaveLength(3);
  expect(svg).not.toMatch(/<text[^>]* x="-/);
});

test("the upright axis title stands left of the tick labels", () => {
  const [, shift = "0", x] =
    /class="g-ytitle"(?: transform="translate\(([-\d.]+),0\)")?><text class="ytitle"[^>]* x="([\d.]+)"/.exec(svg)!;
  const center = Number(x) + Number(shift);
  expect(center).toBeGreaterThan(10);
  // The plot begins at 70, "100" and its tick take about 36 of that.
  expect(center).toBeLessThan(34);
});

test("several seeds are drawn as small dots beside their mean", async () => {
  const dotted = await toSvg(plotAccuracyMemory([...twoSeeds, madeUpRun("Zero-shot", 0.5)], paper));
  expect(dotted).toContain("Small dots: single seeds.");
  // Two dots and two means, a hidden point for each bar, seven marks of the paper; the legend's marks are no points of the plot.
  expect(dotted.match(/class="point"/g)).toHaveLength(2 + 2 + 2 + 7);
});

test("the same runs give the same bytes", async () => {
  const again = await toSvg(plotAccuracyMemory(oneSeed, paper));
  expect(again).toBe(svg);
  expect(Buffer.compare(Buffer.from(await toPng(svg)), Buffer.from(await toPng(again)))).toBe(0);
});

test("a figure is saved as SVG and as PNG at two pixels a unit, and nothing else is left", async () => {
  const folder = join(temporaryFolder(), "new", "folder");
  const paths = await saveFigure(figure, join(folder, "sst2"));
  expect(paths).toEqual([join(folder, "sst2.svg"), join(folder, "sst2.png")]);
  expect(readdirSync(folder).sort()).toEqual(["sst2.png", "sst2.svg"]);
  const png = readFileSync(paths[1]!);
  expect(png.subarray(1, 4).toString()).toBe("PNG");
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([1800, 1120]);
});

test("a place that cannot be written is refused and left as it was", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "file"), "");
  const base = join(folder, "file", "sst2");
  await expect(saveFigure(figure, base)).rejects.toThrow(
    /^Cannot write .*sst2\.svg and .*sst2\.png \((ENOTDIR|EEXIST)\); choose a folder that can be written\.$/,
  );
  expect(readdirSync(folder)).toEqual(["file"]);
});
