import { expect, test } from "vitest";
import { paperColumn } from "../../src/measure/paper.ts";
import { plotAccuracyMemory } from "../../src/report/plot.ts";
import type { Figure } from "../../src/report/style.ts";
import { madeUpRun, oneSeed, twoSeeds } from "./runs.ts";

const paper = paperColumn("SST-2");
const ORANGE = "#D55E00";
const BLUE = "#0072B2";

interface Layout {
  readonly xaxis: { readonly range: readonly number[] };
  readonly yaxis: { readonly range: readonly number[] };
}

/** The traces that the legend names, in its order. */
const legendOf = (data: Figure["data"]): Figure["data"] =>
  data
    .filter(({ showlegend }) => showlegend !== false)
    .toSorted((a, b) => (a.legendrank as number) - (b.legendrank as number));

test("a mark stands at a method's mean memory and score with its standard error, and a small dot at each seed's own", () => {
  const runs = [...twoSeeds, madeUpRun("FT", 0.75, { mebibytes: 1200 })];
  const { data, layout } = plotAccuracyMemory(runs, { ...paper, scores: {} });
  const [dots, ft, mezo, bars] = data;
  expect(dots).toMatchObject({ x: [400, 420], y: [80, 90], marker: { color: ORANGE, symbol: "square" } });
  expect(ft).toMatchObject({ x: [1200], y: [75], marker: { color: BLUE, symbol: "square" } });
  expect(mezo).toMatchObject({ x: [410], y: [expect.closeTo(85, 9)], marker: { color: ORANGE, symbol: "square" } });
  // 100 √(0.75 · 0.25 / 1000), and 10 / √2 / √2 between the two seeds.
  const array = [expect.closeTo(1.369306, 6), expect.closeTo(5, 9)];
  expect(bars).toMatchObject({ x: [1200, 410], y: [75, expect.closeTo(85, 9)], error_y: { array } });
  expect((layout as unknown as Layout).xaxis.range).toEqual([0, expect.closeTo(1.1 * 1200, 9)]);
});

test("every method of the tables is named by its mark in the legend, in the tables' order, and no two that train share a colour", () => {
  const untrained = ["Zero-shot", "ICL", "LP"];
  const trained = ["FT", "FT (LoRA)", "FT (prefix)", "MeZO", "MeZO (LoRA)", "MeZO (prefix)"];
  const { data } = plotAccuracyMemory(
    [...trained, ...untrained].map((method) => madeUpRun(method, 0.8)),
    { ...paper, scores: {} },
  );
  const legend = legendOf(data);
  expect(legend.map(({ name }) => name)).toEqual([...untrained, ...trained]);
  const marks = legend.map(({ marker }) => marker as { color: string; symbol: string });
  expect(new Set(marks.map(({ color, symbol }) => color + symbol)).size).toBe(9);
  expect(new Set(marks.slice(3).map(({ color }) => color)).size).toBe(6);
});

test("the legend says what open marks and the dashed line are, and names methods that the paper alone has", () => {
  const { data } = plotAccuracyMemory(oneSeed, { ...paper, scores: { FT: 92, MeZO: 91.4 } });
  expect(legendOf(data).map(({ name }) => name)).toEqual([
    ...["Zero-shot", "ICL", "FT", "MeZO"],
    ...["open: the paper’s", "majority class 49.5"],
  ]);
});

test("the paper's marks are hollow and stand at its scores", () => {
  const { data } = plotAccuracyMemory(oneSeed, { ...paper, scores: { FT: 92, MeZO: 91.4 } });
  const hollow = data.filter(({ xaxis }) => xaxis === "x2");
  expect(hollow).toMatchObject([
    { y: [92], marker: { color: BLUE, symbol: "square-open" } },
    { y: [91.4], marker: { color: ORANGE, symbol: "square-open" } },
  ]);
  const places = hollow.map(({ x }) => (x as number[])[0]!);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
});

test("the majority class is a line at its score, and the axis begins below the lowest error bar", () => {
  const { data } = plotAccuracyMemory(oneSeed, paper);
  expect(data).toContainEqual(expect.objectContaining({ mode: "lines", y: [49.5, 49.5] }));
  const alone = plotAccuracyMemory([madeUpRun("MeZO", 0.55)], paper) as unknown as { layout: Layout };
  // 55 − 1.6 − 4 is below 50, 55 + 1.6 − 4 is not.
  expect(alone.layout.yaxis.range).toEqual([40, 101]);
});
