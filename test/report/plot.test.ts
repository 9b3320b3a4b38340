import { expect, test } from "vitest";
import { paperColumn } from "../../src/measure/paper.ts";
import { plotAccuracyMemory } from "../../src/report/plot.ts";
import { madeUpRun, oneSeed, twoSeeds } from "./runs.ts";

const paper = paperColumn("SST-2");
const ORANGE = "#D55E00";
const SKY = "#56B4E9";

interface Layout {
  readonly xaxis: { readonly range: readonly number[] };
  readonly yaxis: { readonly range: readonly number[] };
  readonly shapes: readonly Readonly<Record<string, unknown>>[];
}

test("a mark stands at a method's mean memory and score with its standard error, and a small dot at each seed's own", () => {
  const runs = [...twoSeeds, madeUpRun("FT", 0.75, { mebibytes: 1200 })];
  const { data, layout } = plotAccuracyMemory(runs, { ...paper, scores: {} });
  const [dots, ft, mezo, bars] = data;
  expect(dots).toMatchObject({ x: [400, 420], y: [80, 90], marker: { color: ORANGE, symbol: "square" } });
  expect(ft).toMatchObject({ x: [1200], y: [75], marker: { color: SKY, symbol: "square" } });
  expect(mezo).toMatchObject({ x: [410], y: [expect.closeTo(85, 9)], marker: { color: ORANGE, symbol: "square" } });
  // 100 √(0.75 · 0.25 / 1000), and 10 / √2 / √2 between the two seeds.
  const array = [expect.closeTo(1.369306, 6), expect.closeTo(5, 9)];
  expect(bars).toMatchObject({ x: [1200, 410], y: [75, expect.closeTo(85, 9)], error_y: { array } });
  expect((layout as unknown as Layout).xaxis.range).toEqual([0, expect.closeTo(1.4 * 1200, 9)]);
});

test("every method of the tables has a mark that no other has, the same colour for one way to train", () => {
  const methods = ["FT", "FT (LoRA)", "FT (prefix)", "MeZO", "MeZO (LoRA)", "MeZO (prefix)", "Zero-shot", "ICL", "LP"];
  const { data } = plotAccuracyMemory(
    methods.map((method) => madeUpRun(method, 0.8)),
    { ...paper, scores: {} },
  );
  const marks = data.slice(0, methods.length).map(({ marker }) => marker as { color: string; symbol: string });
  expect(new Set(marks.map(({ color, symbol }) => color + symbol)).size).toBe(methods.length);
  // In the tables' order: zero-shot, ICL, LP, three of FT, three of MeZO.
  expect(marks.slice(3).map(({ color }) => color)).toEqual([SKY, SKY, SKY, ORANGE, ORANGE, ORANGE]);
});

test("the paper's marks are hollow and stand at its scores", () => {
  const { data } = plotAccuracyMemory(oneSeed, { ...paper, scores: { FT: 92, MeZO: 91.4 } });
  const hollow = data.filter(({ xaxis, mode }) => xaxis === "x2" && mode === "markers");
  expect(hollow).toMatchObject([
    { y: [92], marker: { color: SKY, symbol: "square-open" } },
    { y: [91.4], marker: { color: ORANGE, symbol: "square-open" } },
  ]);
});

test("the majority class is a line at its score, and the axis begins below the lowest error bar", () => {
  const { layout } = plotAccuracyMemory(oneSeed, paper) as unknown as { layout: Layout };
  expect(layout.shapes).toContainEqual(expect.objectContaining({ type: "line", y0: 49.5, y1: 49.5 }));
  const alone = plotAccuracyMemory([madeUpRun("MeZO", 0.55)], paper) as unknown as { layout: Layout };
  // 55 − 1.6 − 4 is below 50, 55 + 1.6 − 4 is not.
  expect(alone.layout.yaxis.range).toEqual([40, 101]);
});

test("a label that found no room beside its mark is joined to it by a line", () => {
  const crowd = ["Zero-shot", "ICL", "LP", "FT", "FT (LoRA)", "FT (prefix)"].map((method, i) =>
    madeUpRun(method, 0.8 + i / 1000, { mebibytes: 400 + i }),
  );
  const { layout } = plotAccuracyMemory(crowd, paper) as unknown as { layout: Layout };
  const leaders = layout.shapes.filter(({ xsizemode }) => xsizemode === "pixel");
  expect(leaders.length).toBeGreaterThan(0);
  for (const { xanchor, yanchor } of leaders)
    expect(Math.round(1000 * ((yanchor as number) / 100 - 0.8))).toBe((xanchor as number) - 400);
});
