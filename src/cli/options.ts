import { resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { KitError } from "../error.ts";
import { KIT_VERSION } from "../experiment/header.ts";
import type { Method } from "../experiment/run.ts";
import { backendNames } from "../tensor/backend.ts";

/** What the command line asks for, checked. */
export interface CliOptions {
  readonly model: string | undefined;
  readonly task: string;
  readonly data: string | undefined;
  readonly methods: readonly Method[];
  readonly seeds: readonly number[];
  readonly train: number;
  readonly dev: number;
  readonly test: number;
  readonly shots: number;
  readonly steps: number;
  readonly batchSize: number;
  readonly lr: number;
  readonly eps: number;
  readonly weightDecay: number;
  readonly schedule: "constant" | "linear";
  readonly noise: "gaussian" | "rademacher";
  readonly begin: "mezo" | "config";
  readonly backend: "auto" | (typeof backendNames)[number];
  readonly threads: number | undefined;
  readonly out: string;
  readonly figures: string;
  readonly smoke: boolean;
}

const METHODS: readonly Method[] = ["Majority", "Zero-shot", "ICL", "MeZO"];

/** A look at everything in under a minute; its numbers mean nothing. */
const SMOKE = {
  train: 64,
  dev: 32,
  test: 64,
  shots: 4,
  steps: 20,
  seeds: [1],
  out: "data/runs/smoke",
  figures: "figures/smoke",
};

const EXAMPLES = `
Examples:
  npm start                                     the bundled model on the bundled sentences: all methods
  npm start -- --smoke                          the same in small, under a minute
  npm start -- --seeds 1,2,3 --steps 4000       three runs a method: mean and standard error over seeds
  npm start -- --model facebook/opt-125m --lr 1e-6 --data path/to/SST-2
  npm start -- --data reviews.csv --method mezo a CSV with the columns sentence,label

The defaults of --lr and --steps suit the bundled model. For OPT-13B the paper takes a learning rate of 1e-6 or
1e-7 over 20,000 steps (Table 16).`;

function whole(least: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (text.trim() !== "" && Number.isSafeInteger(number) && number >= least) return number;
    throw new InvalidArgumentError(`It must be a whole number of at least ${least}.`);
  };
}

function amount(text: string): number {
  const number = Number(text);
  if (text.trim() !== "" && Number.isFinite(number) && number >= 0) return number;
  throw new InvalidArgumentError("It must be a number of at least 0.");
}

function eachOnce<T>(list: T[]): T[] {
  const again = list.find((item, i) => list.indexOf(item) !== i);
  if (again === undefined) return list;
  throw new InvalidArgumentError(`${again} is there twice: name each once.`);
}

const seedList = (text: string): number[] => eachOnce(text.split(",").map(whole(0)));

function methodList(text: string): Method[] {
  const methods = text.split(",").map((name) => {
    const found = METHODS.find((method) => method.toLowerCase() === name.trim().toLowerCase());
    if (found) return found;
    throw new InvalidArgumentError(`Methods are ${METHODS.join(", ")}, and several are separated by commas.`);
  });
  return eachOnce(methods);
}

function command(): Command {
  const parser = new Command("mezo")
    .description(
      "Measures majority class, zero-shot, in-context learning and MeZO on a task, and prints them in one table beside what the paper reports.",
    )
    .version(KIT_VERSION, "--version", "print the version");
  for (const add of [addData, addMeasurement, addMezo, addMachine, addOutput]) add(parser);
  return parser
    .addHelpText("after", EXAMPLES)
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
}

function addData(parser: Command): void {
  parser
    .optionsGroup("Model and data:")
    .option("--model <folder|id>", "a folder in Hugging Face layout, or a hub id (default: the bundled model)")
    .option("--task <name>", "the task", "SST-2")
    .option(
      "--data <path>",
      "a folder with train, validation or test files, or one TSV, CSV or JSONL file (default: bundled sentences)",
    )
    .option("--train <n>", "examples to train on", whole(1), 1000)
    .option("--dev <n>", "examples to choose the best step by", whole(1), 500)
    .option("--test <n>", "examples to report on", whole(1), 1000);
}

function addMeasurement(parser: Command): void {
  const methods = new Option("--method <names>", "methods, separated by commas");
  const seeds = new Option("--seeds <list>", "a run for each seed, which draws split, batches and z");
  parser
    .optionsGroup("Runs:")
    .addOption(methods.argParser(methodList).default(METHODS, "all"))
    .addOption(seeds.argParser(seedList).default([1], "1"))
    .option("--shots <n>", "demonstrations for ICL", whole(1), 32)
    .addOption(
      new Option("--begin <token>", "begin token: 0 as the paper's code, or the config's")
        .choices(["mezo", "config"])
        .default("mezo"),
    );
}

function addMezo(parser: Command): void {
  parser
    .optionsGroup("MeZO:")
    .option("--steps <n>", "steps", whole(1), 2000)
    .option("--batch-size <n>", "examples a step", whole(1), 16)
    .option("--lr <rate>", "learning rate", amount, 1e-4)
    .addOption(
      new Option("--schedule <name>", "learning rate over the steps")
        .choices(["constant", "linear"])
        .default("constant"),
    )
    .option("--eps <size>", "size of the perturbation", amount, 1e-3)
    .option("--weight-decay <rate>", "weight decay", amount, 0)
    .addOption(new Option("--noise <law>", "law of z").choices(["gaussian", "rademacher"]).default("gaussian"));
}

function addMachine(parser: Command): void {
  parser
    .optionsGroup("Machine:")
    .addOption(new Option("--backend <name>", "where to compute").choices(["auto", ...backendNames]).default("auto"))
    .option("--threads <n>", "threads (default: one a core)", whole(1));
}

function addOutput(parser: Command): void {
  parser
    .optionsGroup("Output:")
    .option("--out <folder>", "where the runs are written; runs of equal names are replaced", "data/runs")
    .option("--figures <folder>", "where the picture is written; one of equal name is replaced", "figures")
    .option(
      "--smoke",
      `a short look at everything: few examples, ${SMOKE.steps} steps; into ${SMOKE.out} and ${SMOKE.figures}, where runs of equal names are replaced`,
      false,
    );
}

/** The options of a command line. Exits with help or version where that was asked for; throws a KitError for what is wrong. */
export function parseOptions(argv: readonly string[]): CliOptions {
  const parser = command();
  try {
    parser.parse(argv, { from: "user" });
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    if (code === "commander.helpDisplayed" || code === "commander.version") process.exit(0);
    const oneLine = message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ");
    throw new KitError(`${oneLine.replace(/\.?$/, ".")} --help lists the options.`);
  }
  const { method, ...options } = parser.opts();
  const given = Object.fromEntries(
    Object.keys(SMOKE).map((name) => [name, parser.getOptionValueSource(name) === "cli"]),
  );
  const smoke = options.smoke ? Object.fromEntries(Object.entries(SMOKE).filter(([name]) => !given[name])) : {};
  const all = { ...options, methods: method, ...smoke } as unknown as CliOptions;
  return { ...all, out: resolve(all.out), figures: resolve(all.figures) };
}
