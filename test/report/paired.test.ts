import { expect, test } from "vitest";
import { tasksAboveUntrained } from "../../src/notebook/verdict.ts";
import type { Run } from "../../src/record/run.ts";
import { pairedDifference, pairedLines } from "../../src/report/paired.ts";
import { table } from "../../src/report/runTables.ts";
import { madeUpRun } from "./runs.ts";

/** A made-up run whose reported score is the mean of these. */
function runWith(method: string, rows: readonly number[], seed = 1): Run {
  const score = rows.reduce((sum, row) => sum + row, 0) / rows.length;
  const run = madeUpRun(method, score, { seed });
  const scores = run.scores.map((one) => (one.on === "test" && one.score === score ? { ...one, rows } : one));
  return { ...run, scores };
}

const ZERO = [1, 0, 0, 1, 0, 1, 0, 0];
const MEZO = [1, 1, 0, 1, 1, 0, 1, 0];

test("the difference is that of the scores, with the standard error of the rows' differences", () => {
  // NumPy: d = MEZO - ZERO, np.std(d, ddof=1) / np.sqrt(8)
  const found = pairedDifference([runWith("MeZO", MEZO)], [runWith("Zero-shot", ZERO)])!;
  expect(found.difference).toBeCloseTo(2 / 8, 12);
  expect(found.standardError).toBeCloseTo(0.25, 12);
  const same = pairedDifference([runWith("MeZO", MEZO)], [runWith("Zero-shot", MEZO)]);
  expect(same).toEqual({ difference: 0, standardError: 0 });
});

test("F1 counts with what each row has of it", () => {
  const found = pairedDifference([runWith("MeZO", [1, 2 / 3, 0])], [runWith("Zero-shot", [0, 2 / 3, 0.5])])!;
  expect(found.difference).toBeCloseTo(1 / 6, 12);
  // NumPy: np.std([1, 0, -0.5], ddof=1) / np.sqrt(3)
  expect(found.standardError).toBeCloseTo(0.4409585518, 9);
});

test("over several seeds it is the mean, with the larger of the errors over rows and over seeds", () => {
  const mezo = [runWith("MeZO", MEZO, 1), runWith("MeZO", ZERO, 2)];
  const zero = [runWith("Zero-shot", ZERO, 2), runWith("Zero-shot", ZERO, 1)];
  // Seed 1 differs by 1/4 ± 1/4, seed 2 by 0 ± 0: over rows √(1/32), over seeds 1/8.
  const found = pairedDifference(mezo, zero)!;
  expect(found.difference).toBeCloseTo(1 / 8, 12);
  expect(found.standardError).toBeCloseTo(Math.sqrt(1 / 32), 12);
  const apart = [runWith("MeZO", [1, 1, 1, 1], 1), runWith("MeZO", [0, 0, 0, 0], 2)];
  const level = [1, 2].map((seed) => runWith("Zero-shot", [0, 0, 0, 0], seed));
  expect(pairedDifference(apart, level)).toEqual({ difference: 0.5, standardError: 0.5 });
});

test("seeds that the other method has alone are left out", () => {
  const zero = [runWith("Zero-shot", [1, 1, 1, 1, 1, 1, 1, 1], 2), runWith("Zero-shot", ZERO, 1)];
  const [row] = tasksAboveUntrained([runWith("MeZO", MEZO, 1), ...zero], "MeZO");
  expect(row).toMatchObject({ difference: "25.0", paired: "yes" });
});

test("runs of other seeds or rows, and files without scores by row, are not compared", () => {
  const zero = [runWith("Zero-shot", ZERO)];
  const mezo = runWith("MeZO", MEZO);
  const onRows = (header: Partial<Run["header"]>): Run => ({ ...mezo, header: { ...mezo.header, ...header } });
  expect(pairedDifference([mezo], zero)).toBeDefined();
  for (const run of [
    runWith("MeZO", MEZO, 2),
    runWith("MeZO", MEZO.slice(1)),
    madeUpRun("MeZO", 0.6, { seed: 1 }),
    onRows({ splitSeed: 7 }),
    onRows({ task: "RTE" }),
    onRows({ data: { files: ["other.tsv"], sha256: "1" } }),
    onRows({ split: { train: 10, dev: 500, test: 1000 } }),
  ])
    expect(pairedDifference([run], zero)).toBeUndefined();
  expect(pairedDifference([mezo, runWith("MeZO", MEZO, 2)], zero)).toBeUndefined();
  expect(pairedDifference([], [])).toBeUndefined();
});

test("a split drawn by one seed has the same rows under all", () => {
  const drawn = (run: Run): Run => ({ ...run, header: { ...run.header, splitSeed: 5 } });
  expect(pairedDifference([drawn(runWith("MeZO", MEZO))], [drawn(runWith("Zero-shot", ZERO))])).toBeDefined();
});

test("a table's foot has a line of how far each method is above zero-shot, where its runs tell it", () => {
  const runs = [
    runWith("Majority", [0, 0, 0, 0, 0, 0, 0, 1]),
    runWith("Zero-shot", ZERO),
    runWith("ICL", [0, 0, 0, 1, 0, 1, 0, 0]),
    runWith("MeZO", MEZO),
    madeUpRun("FT", 0.9, { seed: 1 }),
  ];
  const line = "Points above Zero-shot on the same rows, ± paired standard error: ICL −12.5 ± 12.5, MeZO 25.0 ± 25.0.";
  expect(pairedLines(runs)).toEqual([line]);
  expect(table(runs)).toContain(`\n${line}\n`);
  expect(pairedLines(runs.filter(({ header }) => header.method !== "Zero-shot"))).toEqual([]);
});

test("a method is above what the model does untrained by the rows' differences, where both have scores by row", () => {
  const half = Array.from({ length: 200 }, (_, i) => i % 2);
  const more = half.map((row, i) => (i % 20 === 0 ? 1 : row));
  const [paired] = tasksAboveUntrained([runWith("MeZO", more), runWith("Zero-shot", half)], "MeZO");
  // Ten rows of 200 won, none lost: 5 points ± √(0.05 · 0.95 / 199).
  expect(paired).toMatchObject({ difference: "5.0", noise: "3.1", paired: "yes", "above it": "yes" });
  const plain = [madeUpRun("MeZO", 0.53, { seed: 1 }), madeUpRun("Zero-shot", 0.5, { seed: 1 })];
  expect(tasksAboveUntrained(plain, "MeZO")[0]).toMatchObject({ paired: "no", "above it": "no" });
});
