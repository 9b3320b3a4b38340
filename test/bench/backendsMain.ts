import { availableParallelism } from "node:os";
import { relative } from "node:path";
import { Command } from "commander";
import { runCommand } from "../../src/cli/commandLine.ts";
import { type WeightFormat, weightFormats } from "../../src/models/weights.ts";
import { terminalProgress } from "../../src/report/progress.ts";
import { numberColumns, toTerminal } from "../../src/report/table.ts";
import { type BackendName, backendNames } from "../../src/tensor/backend.ts";
import { type BackendCase, type BackendResult, leastStep } from "./backendCase.ts";
import { among, count, countFrom } from "./options.ts";
import { backendResult } from "./ownProcess.ts";
import { writeResults } from "./results.ts";
import { shapesOnBackends } from "./shapes.ts";

/** What `npm run bench:backends` is asked for, checked. */
interface Options extends Omit<BackendCase, "backend" | "model" | "weights"> {
  readonly backend: readonly BackendName[];
  readonly model: readonly string[];
  readonly weights: readonly WeightFormat[];
  readonly rounds: number;
  readonly output: string;
}

function parseOptions(argv: readonly string[]): Options {
  const models = Object.keys(shapesOnBackends);
  return new Command("mezo-bench-backends")
    .description("Measures forward passes and MeZO steps on backends in turn, each turn a process of its own.")
    .option("--backend <names>", "backends, with commas between them", among(backendNames), ["native", "tensorflow"])
    .option("--model <names>", `shapes, with commas between them: ${models.join(", ")}`, among(models), ["opt-125m"])
    .option("--weights <formats>", "what matrices are kept in, with commas between them", among(weightFormats), [
      "float32",
    ])
    .option("--rows <n>", "rows a batch", count, 16)
    .option("--tokens <n>", "tokens a row", countFrom(2), 64)
    .option("--passes <n>", "forward passes a turn, after one to warm up", count, 3)
    .option("--steps <n>", "MeZO steps a turn, after one to warm up", countFrom(0), 1)
    .option("--rounds <n>", "rounds, in each of which all take their turn", count, 3)
    .option("--threads <n>", "threads", count, availableParallelism())
    .option("--output <folder>", "where the results are written", "data/runs")
    .parse(argv, { from: "user" })
    .opts<Options>();
}

/** A case with what its turns found: of each part the least seconds, of memory the most. */
interface Row extends BackendResult {
  readonly case: BackendCase;
}

function bestOf(one: BackendCase, turns: readonly BackendResult[]): Row {
  const least = (part: "forward" | "forwardCpu"): number => Math.min(...turns.map((turn) => turn[part]));
  const steps = turns.flatMap(({ mezo }) => (mezo ? [mezo] : []));
  return {
    ...{ case: one, products: turns[0]!.products, peakBytes: Math.max(...turns.map(({ peakBytes }) => peakBytes)) },
    ...{ forward: least("forward"), forwardCpu: least("forwardCpu") },
    ...(steps.length > 0 && { mezo: leastStep(steps) }),
  };
}

async function main(argv: readonly string[]): Promise<void> {
  const { backend, model, weights, rounds, output, ...size } = parseOptions(argv);
  const cases = model.flatMap((model) =>
    weights.flatMap((weights) => backend.map((backend): BackendCase => ({ ...size, backend, model, weights }))),
  );
  const turns = cases.map((): BackendResult[] => []);
  const progress = terminalProgress();
  try {
    for (let round = 0; round < rounds; round++)
      for (const [i, one] of cases.entries()) turns[i]!.push(await backendResult(one, progress.report));
  } finally {
    progress.stop();
  }
  const rows = cases.map((one, i) => bestOf(one, turns[i]!));
  process.stdout.write(`${tableText(rows)}\n`);
  const file = writeResults(output, `bench-backends-${size.rows}x${size.tokens}-${size.threads}threads.json`, {
    rows,
    turns,
  });
  process.stdout.write(`Results: ${relative(process.cwd(), file)}\n`);
}

const HEAD = [
  "",
  "products",
  ...["forward, s", "of CPU", "over the first"],
  ...["step, s", "sides", "update"],
  "peak, MiB",
];

function tableText(rows: readonly Row[]): string {
  const cells = rows.map((row) => {
    const { model, weights, backend } = row.case;
    const first = rows.find((other) => other.case.model === model)!;
    return [
      ...[`${model} ${weights} ${backend}`, row.products, row.forward.toFixed(3), row.forwardCpu.toFixed(3)],
      (row.forwardCpu / first.forwardCpu).toFixed(2),
      ...(["step", "sides", "update"] as const).map((part) => row.mezo?.[part].toFixed(3) ?? ""),
      (row.peakBytes / 2 ** 20).toFixed(0),
    ];
  });
  return `${toTerminal({ columns: numberColumns(HEAD), rows: cells })}\n${LEGEND}`;
}

const LEGEND =
  "Least seconds of all rounds: a forward pass, by the clock and of all cores together, and the latter over that of the model's first row; a MeZO step, and what of it forms both sides and moves theta.";

await runCommand(main);
