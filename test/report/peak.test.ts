import { expect, test } from "vitest";
import { besidePaper } from "../../src/notebook/results.ts";
import type { Run } from "../../src/record/run.ts";
import { plotAccuracyMemory } from "../../src/report/plot.ts";
import { markdownTable, table } from "../../src/report/runTables.ts";
import { summarize } from "../../src/report/summary.ts";
import { madeUpRun, oneSeed } from "./runs.ts";

const MIB = 2 ** 20;

/** The run as it would be on a GPU: so many MiB of tensors there, of which 300 were predicted. */
function onGpu(run: Run, mebibytes: number): Run {
  const predicted = { weights: 200 * MIB, activations: 60 * MIB, temporaries: 40 * MIB, gradients: 0, optimizer: 0 };
  const cost = { ...run.cost, devicePeakBytes: mebibytes * MIB, predicted };
  return { ...run, header: { ...run.header, backend: "tensorflow" }, cost };
}

const [mezo, majority, icl, zeroShot] = oneSeed as [Run, Run, Run, Run];
const gpu = [onGpu(mezo, 310), majority, onGpu(zeroShot, 250)];

test("where every run with a model was on a GPU, the column is the GPU's peak, and the foot says what it counts and what the processes took", () => {
  const text = markdownTable(gpu);
  expect(text).toContain("| steps | seconds | GPU MiB | predicted |");
  expect(text).toMatch(/\| Majority \|.*\| – \| – \| – \| – \|/);
  expect(text).toMatch(/\| Zero-shot \|.*\| 250 \| 300 \|/);
  expect(text).toMatch(/\| MeZO \|.*\| 310 \| 300 \|/);
  expect(text).toContain(
    "GPU MiB: the peak of all tensors on the GPU, without what its libraries take for themselves; the process beside it took 402 to 431 MiB.",
  );
});

test("where one run had its tensors in the process, the column is the process's for all, without a prediction, and the foot says what it leaves out", () => {
  const text = table([...gpu, icl]);
  expect(text).toMatch(/seconds │ peak MiB │ paper/);
  expect(text).toMatch(/MeZO .*│ +431 │/);
  expect(text).not.toContain("predicted");
  expect(text).toContain("Peak MiB is the process's: it leaves out what the runs on tensorflow had on the GPU.");
});

test("without a GPU nothing is said of one", () => {
  expect(table(oneSeed)).not.toContain("GPU");
});

test("a method's mean, the figure's marks and its seeds' dots, and the notebooks' rows are of the same peak", () => {
  const runs = [onGpu(madeUpRun("MeZO", 0.8), 100), onGpu(madeUpRun("MeZO", 0.9, { seed: 1 }), 200)];
  expect(summarize(runs)[0]).toMatchObject({ peakBytes: 150 * MIB, predictedBytes: 300 * MIB });
  const { data, layout } = plotAccuracyMemory(runs) as unknown as {
    data: { x: number[] }[];
    layout: { xaxis: { title: { text: string } } };
  };
  expect(data.map(({ x }) => x)).toEqual(expect.arrayContaining([[100, 200], [150]]));
  expect(layout.xaxis.title.text).toBe("Peak memory of tensors on the GPU (MiB)");
  expect(besidePaper(runs)[0]).toMatchObject({ "GPU MiB": 150 });
  expect(besidePaper(oneSeed)[0]).toHaveProperty("peak MiB");
});
