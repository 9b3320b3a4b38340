import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { Command } from "commander";
import { runCommand } from "../../src/cli/commandLine.ts";
import { loadModel } from "../../src/models/load.ts";
import type { LanguageModel } from "../../src/models/network.ts";
import { terminalProgress } from "../../src/report/progress.ts";
import { loadTask } from "../../src/tasks/load.ts";
import type { Task } from "../../src/tasks/task.ts";
import { useBackend } from "../../src/tensor/backend.ts";
import { startServer } from "../cluster/server.ts";
import { tinyModel, tinyTensors } from "../tiny.ts";
import { type ComputePoints, measureCompute, ratesOf } from "./clusterCompute.ts";
import { measureOverhead, type OverheadPoint } from "./clusterOverhead.ts";
import { checkModel, predictAll } from "./clusterPredictions.ts";
import { fitOverhead, trainedModel } from "./clusterScaleModel.ts";
import { rowsFile } from "./clusterSteps.ts";
import { runVirtual, type VirtualPoint, virtualCases, virtualRows } from "./clusterVirtual.ts";
import { nameMachine } from "./machine.ts";
import { count } from "./options.ts";
import { writeResults } from "./results.ts";
import { modelShapes } from "./shapes.ts";

/*
 * What data/runs/bench-cluster-scale.json holds; seconds, milliseconds and bytes are in the names:
 * - machine, compute: OPT-125M's steps of one thread by rows, and a move of its weights along one z; `rates` are what follows for any size;
 * - overhead.points: steps of 16 rows x 64 tokens that compute nothing, on a real server, by shards and by the latency that all bytes wait
 *   each way; overhead.fit: a step's milliseconds as fixedMs + pieceMs · pieces + messagesInARow · latencyMs; overhead.sizes: what messages weigh;
 * - simulation: the real coordinator with simulated workers in virtual time; relativeStep is in steps of one process, sigma the spread of the
 *   logarithm of a piece's time, deaths the share of pieces whose worker dies with them, computed the pieces computed over those needed;
 * - predictions: per model, split ("rows": 16 rows and one z are divided; "directions": more z, 16 rows each; "batch": 16 rows a worker),
 *   latency and number of workers the seconds of a step, how many times faster than one process, and the bytes of a worker;
 * - allReduce: the bytes that each worker sends of gradients in 2 bytes a weight, and what that takes at 1 and 10 Gbit/s;
 * - checks: what the model says of what was measured otherwise;
 * - assumptions: sentences on what the predictions take for granted.
 */

/** What `npm run bench:cluster-scale` is asked for, checked. */
interface Options {
  readonly workers: number;
  readonly rounds: number;
  readonly output: string;
}

function parseOptions(argv: readonly string[]): Options {
  return new Command("mezo-bench-cluster-scale")
    .description(
      "Measures what a step costs beside its computing, simulates up to 1,024 workers in virtual time, and predicts the steps of OPT-1.3B and OPT-13B from both.",
    )
    .option("--workers <n>", "the most workers that are simulated", count, 1024)
    .option("--rounds <n>", "rounds of measured steps, the fastest of which count", count, 3)
    .option("--output <folder>", "where the results are written", "data/runs")
    .parse(argv, { from: "user" })
    .opts<Options>();
}

type Report = (label: string, done: number, total: number) => void;

const TOKENS = 64;
const REFERENCE = "opt-125m";

async function measureCosts(model: LanguageModel, task: Task, report: Report): Promise<OverheadPoint[]> {
  const server = await startServer();
  const cases = [0, 0.1, 1, 10, 50].flatMap((latencyMs) => [1, 2, 4, 16].map((shards) => ({ shards, latencyMs })));
  const points: OverheadPoint[] = [];
  for (const each of cases) {
    report("steps on a server", points.length, cases.length);
    points.push(await measureOverhead({ model, task, server }, each));
  }
  await server.kill();
  return points;
}

async function simulateAll(model: LanguageModel, task: Task, most: number, report: Report): Promise<VirtualPoint[]> {
  const cases = virtualCases(most);
  const points: VirtualPoint[] = [];
  for (const each of cases) {
    report("steps in virtual time", points.length, cases.length);
    points.push(await runVirtual(model, task, each));
  }
  return points;
}

async function measureReference(task: Task, rounds: number): Promise<ComputePoints> {
  const { config } = modelShapes[REFERENCE]!;
  const opt = {
    model_type: "opt",
    bos_token_id: 2,
    word_embed_proj_dim: config.hidden_size,
    do_layer_norm_before: true,
  };
  const whole = { ...config, ...opt };
  const folder = tinyModel({ config: whole, tensors: tinyTensors(whole) });
  const model = await loadModel(folder);
  try {
    return await measureCompute(model, task, rounds);
  } finally {
    model.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main(argv: readonly string[]): Promise<void> {
  const { workers, rounds, output } = parseOptions(argv);
  const progress = terminalProgress();
  const report: Report = (label, done, total) => progress.report({ label, done, total });
  const folders = [mkdtempSync(join(tmpdir(), "scale-")), mkdtempSync(join(tmpdir(), "scale-")), tinyModel()] as const;
  try {
    await useBackend("native", { threads: 1 });
    const long = await loadTask("SST-2", { data: rowsFile(folders[0], TOKENS), train: 48, dev: 2, test: 2, seed: 1 });
    const many = await loadTask("SST-2", {
      data: virtualRows(folders[1]),
      train: 1024,
      dev: 2,
      test: 2,
      seed: 1,
    });
    const tiny = await loadModel(folders[2]);
    const points = await measureCosts(tiny, long, report);
    const simulation = await simulateAll(tiny, many, workers, report);
    tiny.dispose();
    report("steps of OPT-125M", 0, 1);
    const compute = await measureReference(long, rounds);
    const rates = ratesOf(compute, trainedModel(REFERENCE, TOKENS));
    const overhead = { points, fit: fitOverhead(points) };
    const measured = { rates, overhead, simulation, tokens: TOKENS };
    const bench = JSON.parse(readFileSync(resolve("data/runs/bench-cluster-16x64-2workers.json"), "utf8"));
    const results = {
      compute: { ...compute, rates },
      overhead,
      simulation,
      ...predictAll(measured),
      checks: checkModel(measured, bench),
    };
    const file = writeResults(output, "bench-cluster-scale.json", { machine: nameMachine(), ...results });
    process.stdout.write(`Results: ${relative(process.cwd(), file)}\n`);
  } finally {
    progress.stop();
    for (const path of folders) rmSync(path, { recursive: true, force: true });
  }
}

await runCommand(main);
process.exit();
