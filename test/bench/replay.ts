import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { replay } from "../../src/experiment/replay.ts";
import { tune } from "../../src/experiment/tune.ts";
import { loadModel } from "../../src/models/load.ts";
import { compactRun } from "../../src/record/compact.ts";
import { readRun } from "../../src/record/read.ts";
import type { Run } from "../../src/record/run.ts";
import { writeRun } from "../../src/record/write.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { useBackend } from "../../src/tensor/backend.ts";
import { gaussian, rademacher } from "../../src/tensor/parameter.ts";
import { mezo } from "../../src/tuners/mezo.ts";

/** A run of MeZO on the bundled model that is to be made and made again. */
export interface ReplayRequest {
  readonly law: "gaussian" | "rademacher";
  readonly steps: number;
  readonly threads: number;
}

/** What making it and making it again took, and what its files take. */
export interface ReplayResult {
  readonly law: string;
  readonly steps: number;
  /** Of the steps alone, without scores. */
  readonly trainingSeconds: number;
  readonly replaySeconds: number;
  /** Whether the weights made again are the run's, to the bit. */
  readonly isExact: boolean;
  readonly textBytes: number;
  readonly compactBytes: number;
}

const LAWS = { gaussian, rademacher } as const;

/** Trains, writes the run to a file, and makes its weights again from the file. */
export async function measureReplay(request: ReplayRequest, onStep: (done: number) => void): Promise<ReplayResult> {
  const { law, steps, threads } = request;
  await useBackend("native", { threads });
  const model = await loadModel();
  const task = await loadTask("SST-2", { train: 1000, dev: 8, test: 8, seed: 1 });
  let [started, ended] = [0, 0];
  const run = await tune(model, task, mezo({ lr: 1e-4, noise: LAWS[law] }), {
    ...{ steps, batchSize: 16, evaluateEvery: steps, seed: 1 },
    record: {
      start: () => {
        started = performance.now();
      },
      step: ({ step }) => {
        ended = performance.now();
        onStep(step + 1);
      },
      score: () => {},
    },
  });
  const { textBytes, again } = throughFile(run);
  const before = performance.now();
  const replayed = await replay(model, again);
  const replaySeconds = (performance.now() - before) / 1e3;
  const isExact = replayed.checked;
  replayed.dispose();
  model.dispose();
  const trainingSeconds = (ended - started) / 1e3;
  return { law, steps, trainingSeconds, replaySeconds, isExact, textBytes, compactBytes: compactRun(run).length };
}

function throughFile(run: Run): { readonly textBytes: number; readonly again: Run } {
  const folder = mkdtempSync(join(tmpdir(), "mezo-replay-"));
  try {
    const file = join(folder, "run.jsonl");
    writeRun(file, run);
    return { textBytes: statSync(file).size, again: readRun(file) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
