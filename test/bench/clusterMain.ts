import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { Command } from "commander";
import { runCommand } from "../../src/cli/commandLine.ts";
import { coordinate } from "../../src/cluster/coordinator.ts";
import { natsPort } from "../../src/cluster/join.ts";
import { loadModel } from "../../src/models/load.ts";
import { numberColumns, toTerminal } from "../../src/report/table.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { useBackend } from "../../src/tensor/backend.ts";
import { startServer } from "../cluster/server.ts";
import { tinyModel, tinyTensors } from "../tiny.ts";
import { counting, rowsFile, timeSteps } from "./clusterSteps.ts";
import { among, count, countFrom } from "./options.ts";
import { writeResults } from "./results.ts";
import { modelShapes } from "./shapes.ts";

/** What `npm run bench:cluster` is asked for, checked. */
interface Options {
  readonly model: readonly string[];
  readonly rows: number;
  readonly tokens: number;
  readonly workers: number;
  readonly steps: number;
  readonly rounds: number;
  readonly output: string;
}

function parseOptions(argv: readonly string[]): Options {
  return new Command("mezo-bench-cluster")
    .description(
      "Measures a MeZO step of one process with one thread, and of workers with a thread each that share its rows over a NATS server on this machine, in turn.",
    )
    .option("--model <name>", "the shape of the model", among(Object.keys(modelShapes)), ["opt-125m"])
    .option("--rows <n>", "rows a batch", count, 16)
    .option("--tokens <n>", "tokens a row", countFrom(8), 64)
    .option("--workers <n>", "workers, and shards of a batch", count, 2)
    .option("--steps <n>", "steps a turn, of which the first is left out", countFrom(2), 4)
    .option("--rounds <n>", "rounds, in each of which both take their turn", count, 3)
    .option("--output <folder>", "where the results are written", "data/runs")
    .parse(argv, { from: "user" })
    .opts<Options>();
}

/** What a round found: the seconds of steps, and the bytes of a step's messages. */
interface Turn {
  readonly alone: readonly number[];
  readonly together: readonly number[];
  readonly bytesPerStep: number;
}

function startWorker(model: string, url: string): ChildProcess {
  const program = resolve(import.meta.dirname, "../../src/cli/main.js");
  const args = [program, "worker", "--cluster", url, "--model", model, "--threads", "1"];
  return spawn(process.execPath, args, { stdio: "ignore" });
}

async function main(argv: readonly string[]): Promise<void> {
  const options = parseOptions(argv);
  const [shape] = options.model;
  const { config } = modelShapes[shape!]!;
  const whole = {
    ...config,
    model_type: "opt",
    bos_token_id: 2,
    word_embed_proj_dim: config.hidden_size,
    do_layer_norm_before: true,
  };
  const folder = tinyModel({ config: whole, tensors: tinyTensors(whole) });
  const rows = mkdtempSync(join(tmpdir(), "cluster-"));
  const data = rowsFile(rows, options.tokens);
  const task = await loadTask("SST-2", { data, train: 48, dev: 2, test: 2, seed: 1 });
  const server = await startServer();
  const workers = Array.from({ length: options.workers }, () => startWorker(folder, server.url));
  try {
    await useBackend("native", { threads: 1 });
    const model = await loadModel(folder);
    const { port, bytes } = counting(await natsPort(server.url, { patience: 120 }));
    const turns: Turn[] = [];
    for (let round = 0; round < options.rounds; round++) {
      const alone = await timeSteps(model, task, options);
      const before = bytes();
      const shared = { shards: options.workers, run: `round-${round}` };
      const together = await timeSteps(model, task, { ...options, cluster: coordinate(port, shared) });
      turns.push({ alone, together, bytesPerStep: (bytes() - before) / options.steps });
    }
    const [alone, together] = (["alone", "together"] as const).map((who) =>
      Math.min(...turns.flatMap((turn) => turn[who])),
    );
    const bytesPerStep = Math.max(...turns.map((turn) => turn.bytesPerStep));
    const columns = numberColumns(["one process, s", `${options.workers} workers, s`, "ratio", "bytes a step"]);
    const row = [alone!.toFixed(2), together!.toFixed(2), (together! / alone!).toFixed(2), bytesPerStep.toFixed(0)];
    process.stdout.write(`${toTerminal({ columns, rows: [row] }, true)}\n`);
    const name = `bench-cluster-${options.rows}x${options.tokens}-${options.workers}workers.json`;
    const file = writeResults(options.output, name, { ...options, turns });
    process.stdout.write(`Results: ${relative(process.cwd(), file)}\n`);
    model.dispose();
    await port.close();
  } finally {
    for (const worker of workers) worker.kill();
    await Promise.all(workers.map((worker) => (worker.exitCode === null ? once(worker, "exit") : undefined)));
    await server.kill();
    for (const path of [folder, rows]) rmSync(path, { recursive: true, force: true });
  }
}

await runCommand(main);
process.exit();
