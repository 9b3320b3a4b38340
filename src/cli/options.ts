import { resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { methods } from "../measure/methods.ts";
import type { CliOptions, PerMethod } from "../measure/request.ts";
import { roundings, weightFormats } from "../models/weights.ts";
import { backendNames } from "../tensor/backend.ts";
import { amount, parsed, whole } from "./commandLine.ts";

/** The method of that name, whatever its case and punctuation: "mezo-lora" is MeZO (LoRA). */
export function methodNamed(name: string): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, "");
  return methods.find((method) => plain(method) === plain(name));
}

/** Reads "1e-6", or "mezo=1e-6,ft=1e-5", each value by `read`. */
export function perMethod(read: (text: string) => number): (text: string) => PerMethod {
  return (text) => {
    if (!text.includes("=")) return { all: read(text) };
    return Object.fromEntries(
      text.split(",").map((part) => {
        const [name = "", value = ""] = part.split("=");
        const method = methodNamed(name);
        if (!method) throw new InvalidArgumentError(`${name.trim()} is no method: name ${methods.join(", ")}.`);
        return [method, read(value)];
      }),
    );
  };
}

/** As commander gives them. */
type Given = Omit<CliOptions, "methods" | "tasks"> & {
  readonly method: CliOptions["methods"];
  readonly task: CliOptions["tasks"];
};

/** A look at everything in under a minute; its numbers mean nothing. */
const SMOKE = {
  train: 64,
  dev: 32,
  test: 64,
  shots: 4,
  steps: { all: 20 },
  seeds: [1],
  out: "data/runs/smoke",
  figures: "figures/smoke",
};

const EXAMPLES = `
Examples:
  npm start                                     the bundled OPT on the bundled sentences: all methods
  npm start -- --model roberta-reviews          the bundled RoBERTa
  npm start -- --smoke                          the same in small, under a minute
  npm start -- --seeds 1,2,3                    three runs a method: mean and standard error over seeds
  npm start -- --task all --smoke               every method on every task of the paper, methods by tasks
  npm start -- --model facebook/opt-125m --data path/to/SST-2 --lr mezo=1e-6,ft=1e-5
  npm start -- --model roberta-large --task TREC --data path/to/trec --k 16 --seeds 13,21,42,87,100
  npm start -- --data reviews.csv --method mezo a CSV with the columns sentence,label
  npm start -- --resume                         goes on with what was cut short, to the very bits
  npx mezo doctor                               what a run of MeZO would have to go by, before it is begun
  npx mezo replay run.jsonl --save folder       makes a run's weights again; mezo diff and mezo compact: more on run files
  npx mezo backends                             where this machine can compute, and what is missing elsewhere

For --lr, --eps, --steps and --batch-size the bundled models have defaults of their own; for others they are values of
the paper's grids (Tables 15 and 16): MeZO with OPT takes a learning rate of 1e-6 over 20,000 steps.`;

function eachOnce<T>(list: T[]): T[] {
  const again = list.find((item, i) => list.indexOf(item) !== i);
  if (again === undefined) return list;
  throw new InvalidArgumentError(`${again} is there twice: name each once.`);
}

const seedList = (text: string): number[] => eachOnce(text.split(",").map(whole(0)));

function methodList(text: string): string[] {
  const found = text.split(",").map((name) => {
    const method = methodNamed(name);
    if (method) return method;
    throw new InvalidArgumentError(`methods are ${methods.join(", ")}, and several are separated by commas.`);
  });
  return eachOnce(found);
}

const taskList = (text: string): string[] | "all" =>
  text.trim().toLowerCase() === "all" ? "all" : eachOnce(text.split(",").map((name) => name.trim()));

/** The command `mezo table`, to which its action is still to be given. */
export function tableCommand(): Command {
  const command = new Command("table").description(
    "Measures the paper's methods on a task (majority class, zero-shot, in-context learning, linear probing, fine-tuning and MeZO, these two with all weights, LoRA and prefixes), and prints them in one table beside what the paper reports.",
  );
  command.summary("measures the paper's methods on a task and prints them in one table: the main command");
  for (const add of [addData, addMeasurement, addTraining, addMachine, addOutput]) add(command);
  return command.addHelpText("after", EXAMPLES);
}

/** Adds the options that say which model and which rows. */
export function addData(parser: Command): void {
  parser
    .optionsGroup("Model and data:")
    .option(
      "--model <folder|id>",
      "a folder in Hugging Face layout, a hub id, or a bundled model: opt-reviews (default) or roberta-reviews",
    )
    .option("--task <names>", "tasks, separated by commas, or all", taskList, ["SST-2"])
    .option(
      "--data <path>",
      "a folder with train, validation or test files, or one TSV, CSV or JSONL file (default: bundled sentences for SST-2, the kit's 32 samples for the others)",
    )
    .option("--encoding <name>", "of data files that are not in UTF-8, such as windows-1252")
    .addOption(
      new Option("--quoting <kind>", "double quotes in TSV and CSV: around fields, or part of the text").choices([
        "double",
        "none",
      ]),
    )
    .option("--train <n>", "examples to train on (default: 1000)", whole(1))
    .option("--dev <n>", "examples to choose the best step by (default: 500; CB and COPA 100)", whole(1))
    .option("--test <n>", "examples to report on", whole(1), 1000)
    .option(
      "--k <n>",
      "draw this many training and dev examples of each class, as the paper does with RoBERTa, or take them from the data folder's own <k>-<seed> folders",
      whole(1),
    );
}

function addMeasurement(parser: Command): void {
  const wanted = new Option("--method <names>", "methods, separated by commas");
  const seeds = new Option("--seeds <list>", "a run for each seed, which draws split, batches and z");
  parser
    .optionsGroup("Runs:")
    .addOption(wanted.argParser(methodList).default(methods, "all"))
    .addOption(seeds.argParser(seedList).default([1], "1"))
    .option("--shots <n>", "demonstrations for ICL", whole(1), 32)
    .addOption(
      new Option("--demonstrations <draw>", "anew for each example, as the paper's code, or the same for all")
        .choices(["fresh", "fixed"])
        .default("fresh"),
    )
    .addOption(
      new Option("--begin <token>", "begin token: 0 as the paper's code, or the config's")
        .choices(["mezo", "config"])
        .default("mezo"),
    );
}

function addTraining(parser: Command): void {
  const values = "one for all methods, or mezo=…,ft-lora=…";
  parser
    .optionsGroup("Training:")
    .option("--steps <n>", `steps: ${values}`, perMethod(whole(1)))
    .option("--batch-size <n>", `examples a step: ${values}`, perMethod(whole(1)))
    .option("--lr <rate>", `learning rate: ${values}`, perMethod(amount))
    .option("--eps <size>", `size of MeZO's perturbation: ${values}`, perMethod(amount))
    .addOption(
      new Option("--schedule <name>", "MeZO's learning rate over the steps")
        .choices(["constant", "linear"])
        .default("constant"),
    )
    .option("--weight-decay <rate>", "weight decay", amount, 0)
    .addOption(new Option("--noise <law>", "law of z").choices(["gaussian", "rademacher"]).default("gaussian"))
    .addOption(
      new Option(
        "--choose-by <dev>",
        "best step: that of the lowest dev loss, or of the highest dev score (default: loss, with masked models score, as the authors' code)",
      ).choices(["loss", "score"]),
    )
    .option("--checkpointing", "backpropagation keeps each layer's input only, and computes the rest again", false);
}

/** Adds the options that say where to compute, and in what the weights are kept. */
export function addMachine(parser: Command): void {
  parser
    .optionsGroup("Machine:")
    .addOption(new Option("--backend <name>", "where to compute").choices(["auto", ...backendNames]).default("auto"))
    .option("--threads <n>", "threads (default: one a core)", whole(1))
    .addOption(
      new Option("--weights <format>", "what the model's matrices are kept in; 16 bits take half the memory")
        .choices(weightFormats)
        .default("float32"),
    )
    .option("--untied", "gives a tied output matrix weights of its own, as the authors' code does with RoBERTa", false)
    .addOption(
      new Option("--rounding <kind>", "of steps in 16 bits: by chance, so that small ones count in the mean, or not")
        .choices(roundings)
        .default("stochastic"),
    );
}

function addOutput(parser: Command): void {
  parser
    .optionsGroup("Output:")
    .option(
      "--out <folder>",
      "where the runs are written; those of equal task, rows, model, method and seed are replaced",
      "data/runs",
    )
    .option("--figures <folder>", "where the picture is written; one of equal name is replaced", "figures")
    .option("--resume", "keeps finished runs of equal settings, and goes on with one that was cut short", false)
    .option(
      "--smoke",
      `a short look at everything: few examples, ${SMOKE.steps.all} steps; into ${SMOKE.out} and ${SMOKE.figures}, where runs of equal names are replaced`,
      false,
    );
}

/** The options of `mezo table`. Throws a KitError for what is wrong. */
export function parseOptions(argv: readonly string[]): CliOptions {
  const command = tableCommand();
  new Command("mezo").addCommand(command);
  parsed(command, argv);
  return optionsOf(command);
}

/** The options that a parsed `mezo table` was given, with those of a smoke run where it is one. */
export function optionsOf(command: Command): CliOptions {
  const { method, task, ...options } = command.opts<Given>();
  const isSettled = (name: string): boolean =>
    command.getOptionValueSource(name) === "cli" || (options.k !== undefined && (name === "train" || name === "dev")); // k says what these are
  const smoke = options.smoke ? Object.fromEntries(Object.entries(SMOKE).filter(([name]) => !isSettled(name))) : {};
  const steps = options.smoke ? { ...SMOKE.steps, ...options.steps } : options.steps;
  const all = { ...options, methods: method, tasks: task, ...smoke, steps } as unknown as CliOptions;
  return { ...all, out: resolve(all.out), figures: resolve(all.figures) };
}
