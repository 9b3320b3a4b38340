import { availableParallelism } from "node:os";
import { relative } from "node:path";
import Table from "cli-table3";
import { Command } from "commander";
import { runCommand } from "../../src/cli/commandLine.ts";
import { terminalProgress } from "../../src/report/progress.ts";
import { count } from "./options.ts";
import { replayResult } from "./ownProcess.ts";
import type { ReplayResult } from "./replay.ts";
import { writeResults } from "./results.ts";

interface ReplayOptions {
  readonly steps: number;
  readonly threads: number;
  readonly output: string;
}

const HEAD = [
  "z",
  "training, ms a step",
  "replay, ms a step",
  "ratio",
  "weights",
  "text, B a step",
  "binary, B a step",
];

async function main(argv: readonly string[]): Promise<void> {
  const options = new Command("mezo-bench-replay")
    .description("Trains the bundled model by MeZO, and recomputes the weights from the run's file.")
    .option("--steps <n>", "steps", count, 1000)
    .option("--threads <n>", "threads", count, availableParallelism())
    .option("--output <folder>", "where the results are written", "data/runs")
    .parse(argv, { from: "user" })
    .opts<ReplayOptions>();
  const { steps, threads, output } = options;
  const progress = terminalProgress();
  const results: ReplayResult[] = [];
  for (const law of ["gaussian", "rademacher"] as const)
    results.push(await replayResult({ law, steps, threads }, progress.report));
  progress.stop();
  process.stdout.write(`${text(results)}\n`);
  const file = writeResults(output, `bench-replay-${threads}threads.json`, { steps, threads, results });
  process.stdout.write(`Results: ${relative(process.cwd(), file)}\n`);
}

function text(results: readonly ReplayResult[]): string {
  const table = new Table({
    head: HEAD,
    style: { head: [], border: [] },
    colAligns: ["left", ...HEAD.slice(1).map(() => "right" as const)],
  });
  for (const { law, steps, trainingSeconds, replaySeconds, isExact, textBytes, compactBytes } of results)
    table.push([
      law,
      ((1e3 * trainingSeconds) / steps).toFixed(2),
      ((1e3 * replaySeconds) / steps).toFixed(2),
      (trainingSeconds / replaySeconds).toFixed(1),
      isExact ? "the same bits" : "not the same",
      (textBytes / steps).toFixed(1),
      (compactBytes / steps).toFixed(1),
    ]);
  return `The bundled model, ${results[0]!.steps} steps of 16 rows; bytes with header and scores\n${table}`;
}

await runCommand(main);
