import { expect, test } from "vitest";
import { lossCurves, meanScores, taskScores, testScores } from "../../src/notebook/results.ts";
import { methodsAboveChance, tasksAboveUntrained } from "../../src/notebook/verdict.ts";
import type { Run } from "../../src/record/run.ts";
import { standardDeviation, standardErrorOfMean } from "../../src/report/summary.ts";
import { madeUpRun } from "../report/runs.ts";

interface Drawn {
  readonly name: string;
  readonly x: readonly unknown[];
  readonly y: readonly unknown[];
  readonly marker: { readonly symbol: string; readonly color?: string };
  readonly error_y?: { readonly array: readonly number[] };
}

const onTask = (task: string, run: Run): Run => ({ ...run, header: { ...run.header, task } });

const runs = [
  madeUpRun("MeZO", 0.8, { seed: 1 }),
  madeUpRun("MeZO", 0.9, { seed: 2 }),
  madeUpRun("Majority", 0.5),
  madeUpRun("Zero-shot", 0.52),
];

test("test scores are in percent, in the order of the runs", () => {
  expect(testScores(runs, "MeZO")).toEqual([80, 90]);
  expect(testScores(runs, "FT")).toEqual([]);
});

test("means come a row a method in the tables' order, with the standard error over runs, unknown for one", () => {
  expect(meanScores(runs)).toEqual([
    { method: "Majority", score: 50, error: Number.NaN, seeds: 1 },
    { method: "Zero-shot", score: 52, error: Number.NaN, seeds: 1 },
    // The deviation of 80 and 90 is √50, over √2.
    { method: "MeZO", score: 85, error: 5, seeds: 2 },
  ]);
  expect([standardDeviation([80, 90]), standardErrorOfMean([80, 90])]).toEqual([Math.sqrt(50), 5]);
});

test("above chance is what lies two standard errors above the majority class; all where there is no such class", () => {
  expect(methodsAboveChance(runs)).toEqual(["MeZO"]);
  expect(methodsAboveChance([madeUpRun("Zero-shot", 0.1)])).toEqual(["Zero-shot"]);
});

test("a loss curve is the mean over runs of the losses of both sides, at the steps that the run counts", () => {
  const run = (seed: number, losses: readonly [number, number]): Run => {
    const steps = [10, 11].map((step) => ({ step, losses, projectedGrad: 1 }));
    const made = madeUpRun("MeZO", 0.5, { seed });
    return { ...made, steps };
  };
  const { data, layout } = lossCurves([run(1, [1, 3]), run(2, [3, 5])]);
  expect(data).toMatchObject([{ name: "MeZO", x: [11, 12], y: [3, 3], line: { color: "#D55E00" } }]);
  expect(layout).toMatchObject({ yaxis: { title: { text: "training loss (nats, mean of 2 seeds)" } } });
});

test("loss curves of a seed each are no mean of seeds", () => {
  const seeds = [1, 2].map((seed) => ({
    ...madeUpRun("MeZO", 0.5, { seed }),
    steps: [{ step: 0, losses: [1, 3], projectedGrad: 0 }],
  }));
  const { data, layout } = lossCurves(seeds, ({ header }) => `seed ${header.seed}`);
  expect(data).toMatchObject([{ name: "seed 1" }, { name: "seed 2" }]);
  expect(layout).toMatchObject({ yaxis: { title: { text: "training loss (nats)" } } });
});

test("scores by task stand in the order of Table 1: ours filled, the paper's open, the majority class across the column", () => {
  const runs = ["RTE", "SST-2"].flatMap((task) => [
    onTask(task, madeUpRun("MeZO", task === "RTE" ? 0.55 : 0.8)),
    onTask(task, madeUpRun("Majority", 0.5)),
  ]);
  const { data, layout } = taskScores(runs, ["MeZO"]);
  const [floor, ours, theirs] = data as unknown as Drawn[];
  expect(layout).toMatchObject({ xaxis: { ticktext: ["SST-2", "RTE"] } });
  expect(ours).toMatchObject({ x: [0, 1], y: [80, 55], marker: { symbol: "square" } });
  expect(theirs).toMatchObject({ x: [0, 1], y: [91.4, 66.1], marker: { symbol: "square-open" } });
  expect(floor).toMatchObject({ name: "majority class", y: [50, 50, null, 50, 50, null] });
});

test("a method is above what the model does untrained where it clears the best of it by two standard errors of both", () => {
  const [mezo, calibrated] = [0.8, 0.64];
  const sst2 = [
    ...[1, 2].map((seed) => madeUpRun("MeZO", mezo, { seed })),
    madeUpRun("Zero-shot", 0.52),
    madeUpRun("Zero-shot (calibrated)", calibrated),
    madeUpRun("FT", 0.99),
    madeUpRun("Majority", 0.5),
  ];
  const copa = [madeUpRun("MeZO", 0.7), madeUpRun("ICL", 0.69)].map((run) => onTask("COPA", run));
  const { n } = sst2[0]!.scores.find(({ on }) => on === "test")!;
  const error = (p: number): number => Math.sqrt((p * (1 - p)) / n);
  const bound = 2 * Math.sqrt(error(mezo) ** 2 + error(calibrated) ** 2);
  const rows = tasksAboveUntrained([...copa, ...sst2, onTask("RTE", madeUpRun("ICL", 0.5))], "MeZO");
  expect(rows.map(({ task }) => task)).toEqual(["SST-2", "COPA"]);
  expect(rows[0]).toMatchObject({
    ...{ "ours, %": "80.0", "±": (100 * error(mezo)).toFixed(1), seeds: 2, compared: 2 },
    ...{ "best without training": "Zero-shot (calibrated) 64.0", difference: "16.0", noise: (100 * bound).toFixed(1) },
    ...{ "above it": mezo - calibrated > bound ? "yes" : "no", "above the majority": "yes" },
  });
  expect(rows[1]).toMatchObject({ "best without training": "ICL 69.0", "above it": "no", "above the majority": null });
  const [alone] = tasksAboveUntrained([madeUpRun("MeZO", 0.8)], "MeZO");
  expect(alone).toMatchObject({ "best without training": null, compared: 0, "above it": null });
});
