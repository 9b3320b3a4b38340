import { relative } from "node:path";
import { Command } from "commander";
import { runCommand } from "../../src/cli/commandLine.ts";
import { terminalProgress } from "../../src/report/progress.ts";
import { useBackend } from "../../src/tensor/backend.ts";
import { PRODUCTS } from "../../src/tensor/products.ts";
import type { Progress } from "../../src/tensor/progress.ts";
import { levelNames, processorLevel } from "../../src/tensor/x86/library.ts";
import { type AccuracyRequest, measureAccuracy } from "./accuracy.ts";
import { type AccuracyPart, openAccuracyPart } from "./accuracyPart.ts";
import { accuracies, accuracyText } from "./accuracyTable.ts";
import { among, count } from "./options.ts";
import { writeResults } from "./results.ts";

const MODELS = ["opt-reviews", "roberta-reviews"];

interface AccuracyOptions extends Pick<AccuracyRequest, "products" | "directions" | "rows"> {
  readonly model: readonly string[];
  readonly output: string;
}

async function main(argv: readonly string[]): Promise<void> {
  const {
    model: models,
    output,
    products,
    directions,
    rows,
  } = new Command("mezo-bench-accuracy")
    .description("Compares MeZO's projected gradients, for each kind of products, with a forward pass in float64.")
    .option("--model <names>", "models, with commas between them", among(MODELS), MODELS)
    .option("--products <kinds>", "with commas between them (default: all that run here)", among(PRODUCTS))
    .option("--directions <n>", "directions z a model", count, 200)
    .option("--rows <n>", "sentences a batch, as many as a run has", count, 16)
    .option("--output <folder>", "where the results are written", "data/runs")
    .parse(argv, { from: "user" })
    .opts<AccuracyOptions>();
  const level = processorLevel();
  const kinds = products ?? (level === "none" ? ["float32"] : PRODUCTS);
  const request: AccuracyRequest = { models, eps: [1e-3, 1e-4], products: kinds, directions, rows, seed: 1 };
  await useBackend("native", { threads: 1 });
  const progress = terminalProgress();
  const part = openAccuracyPart(output, `bench-accuracy-${level}`, { level, ...request });
  try {
    await measureAll(request, part, progress.report);
  } finally {
    progress.stop();
  }
  const results = accuracies(request, part.measured);
  process.stdout.write(`${accuracyText(results, request, levelNames[level])}\n`);
  const file = writeResults(output, `bench-accuracy-${level}.json`, { level, request, results });
  part.remove();
  process.stdout.write(`Results: ${relative(process.cwd(), file)}\n`);
}

/** Measures what the part does not have yet, each model's directions in order. */
async function measureAll(request: AccuracyRequest, part: AccuracyPart, onProgress: Progress): Promise<void> {
  const { models, eps, directions } = request;
  for (const model of models) {
    let done = part.measured.filter((one) => one.model === model).length;
    for await (const measured of measureAccuracy(model, request, done / eps.length)) {
      part.add(measured);
      done += measured.length;
      onProgress({ label: model, part: "gradients", done, total: directions * eps.length });
    }
  }
}

await runCommand(main);
