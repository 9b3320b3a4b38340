import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { Command, Option } from "commander";
import { runCommand } from "../../src/cli/commandLine.ts";
import { terminalProgress } from "../../src/report/progress.ts";
import { machineText, nameMachine } from "./machine.ts";
import { benchModels } from "./models.ts";
import { among, count, countFrom, productsOption } from "./options.ts";
import { writeResults } from "./results.ts";
import { growthOf } from "./scaleGrowth.ts";
import { type ScalePlan, type Series, scaleCases } from "./scalePlan.ts";
import { measuredCases, readPoints, type SavedPoint } from "./scaleResults.ts";
import { measureMissing } from "./scaleRun.ts";
import { scaleText } from "./scaleTable.ts";

/** What `npm run bench:scale` is asked for, checked. */
interface ScaleOptions {
  readonly plan: ScalePlan;
  readonly output: string;
  /** Whether what an earlier run measured is measured again. */
  readonly fresh: boolean;
}

type Given = Omit<ScalePlan, "size" | "models"> &
  ScalePlan["size"] &
  Omit<ScaleOptions, "plan"> & { readonly model: readonly string[] };

const SERIES: readonly Series[] = ["rows", "tokens", "size"];
const BATCHES = [256, 1024, 4096, 16_384];

function parseScaleOptions(argv: readonly string[]): ScaleOptions {
  const models = Object.keys(benchModels).sort((a, b) => benchModels[a]!.millions - benchModels[b]!.millions);
  const { series, batches, rows, tokens, model, output, fresh, ...size } = new Command("mezo-bench-scale")
    .description(
      "Measures how a MeZO step's time and memory grow with the batch and with the model; goes on where an earlier run was stopped.",
    )
    .option("--series <names>", `what grows, with commas between them: ${SERIES}`, among(SERIES), SERIES)
    .option(
      "--batches <numbers>",
      "tokens of a batch in the series of rows and tokens, with commas",
      batchSizes,
      BATCHES,
    )
    .option("--rows <n>", "rows a batch in the series of size", count, 16)
    .option("--tokens <n>", "tokens a row in the series of size", countFrom(2), 64)
    .option("--model <names>", "models of the series of size, with commas between them", among(models), models)
    .option("--steps <n>", "steps a case, after one to warm up", count, 2)
    .option("--threads <n>", "threads", count, availableParallelism())
    .addOption(new Option("--noise <law>", "law of z").choices(["gaussian", "rademacher"]).default("gaussian"))
    .addOption(productsOption())
    .option("--fresh", "measure again what an earlier run measured", false)
    .option("--output <folder>", "where the results are written", "data/runs")
    .parse(argv, { from: "user" })
    .opts<Given>();
  return { plan: { series, batches, rows, tokens, models: model, size }, output, fresh };
}

/** Numbers of tokens that divide into rows of 64 and into 16 rows. */
function batchSizes(text: string): number[] {
  return text.split(",").map((part) => 64 * count(String(Number(part) / 64)));
}

async function main(argv: readonly string[]): Promise<void> {
  const { plan, output, fresh } = parseScaleOptions(argv);
  const cases = scaleCases(plan);
  const machine = nameMachine();
  const name = `bench-scale-${plan.size.threads}threads.json`;
  const earlier = fresh ? [] : readPoints(join(output, name), machine);
  const keep = (points: readonly SavedPoint[]): string =>
    writeResults(output, name, { machine, growth: growthOf(measuredCases(cases, points)), points });
  const progress = terminalProgress();
  const points = await measureMissing(cases, { earlier, keep }, progress.report).finally(() => progress.stop());
  process.stdout.write(`${machineText(machine)}\n\n${scaleText(measuredCases(cases, points))}\n`);
  process.stdout.write(`Results: ${relative(process.cwd(), keep(points))}\n`);
}

await runCommand(main);
