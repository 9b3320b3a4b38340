import { Command, Option } from "commander";
import {
  above0,
  amount,
  choices,
  defaults,
  makeRequest,
  type NameOption,
  SMOKE_STEPS,
  smokeDefaults,
} from "../measure/makeRequest.ts";
import type { MeasureOptions, MeasureRequest, PerMethodSetting } from "../measure/request.ts";
import { numberThat, whole } from "./commandLine.ts";

/** How the command line writes an option: "--batch-size" for batchSize, "--method" for methods. */
export const flagName: NameOption = (name) =>
  name === "methods" ? "--method" : `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** Reads "1e-6", or "mezo=1e-6,ft=1e-5", each value by `read`. */
function perMethod(read: (text: string) => number): (text: string) => PerMethodSetting {
  return (text) => {
    if (!text.includes("=")) return read(text);
    const parts = text.split(",").map((part) => part.split("="));
    return Object.fromEntries(parts.map(([name = "", value = ""]) => [name, read(value)]));
  };
}

const EXAMPLES = `
Examples:
  npm start                                     the bundled OPT on the bundled sentences: all methods
  npm start -- --model roberta-reviews          the bundled RoBERTa
  npm start -- --smoke                          the same in small, under a minute
  npm start -- --method zero-shot,zero-shot-calibrated,icl,icl-calibrated
                                                options by how much an example adds to them, which no table of the paper has
  npm start -- --seeds 1,2,3                    three runs a method: mean and standard error over seeds
  npm start -- --task all --smoke               every method on every task of the paper, methods by tasks
  npm start -- --model facebook/opt-125m --data path/to/SST-2 --lr mezo=1e-6,ft=1e-5
  npm start -- --model roberta-large --task TREC --data path/to/trec --k 16 --seeds 13,21,42,87,100
  npm start -- --data reviews.csv --method mezo a CSV with the columns sentence,label
  npm start -- --resume                         resumes what was cut short, to the bit
  npx mezo memory                               what memory each method needs, before a model is loaded
  npx mezo doctor                               what a run of MeZO depends on, measured before it starts
  npx mezo replay run.jsonl --save folder       replays a run's weights; mezo diff and mezo compact: more on run files
  npx mezo backends                             where this machine can compute, and what is missing elsewhere

For --lr, --eps, --steps and --batch-size the bundled models have defaults of their own; for others they are values of
the paper's grids (Tables 15 and 16): MeZO with OPT takes a learning rate of 1e-6 over 20,000 steps.`;

const split = (text: string): string[] => text.split(",").map((part) => part.trim());

const seedList = (text: string): number[] => text.split(",").map(whole(0));

const taskList = (text: string): string | readonly string[] =>
  text.trim().toLowerCase() === "all" ? "all" : split(text);

/** The command `mezo table`, to which its action is still to be given. */
export function tableCommand(): Command {
  const command = new Command("table").description(
    "Measures the paper's methods on a task (majority class, zero-shot, in-context learning, linear probing, fine-tuning and MeZO, these two with all weights, LoRA and prefixes), and prints them in one table beside what the paper reports.",
  );
  command.summary("measures the paper's methods on a task and prints them in one table: the main command");
  for (const add of [addData, addMeasurement, addTraining, addAdapters, addMachine, addOutput]) add(command);
  command
    .optionsGroup("More machines:")
    .option(
      "--cluster <address>",
      "has the runs made by mezo worker on other machines, several at once, which a NATS server connects: nats://host:4222",
    );
  return command.addHelpText("after", EXAMPLES);
}

/** Adds the options that say which model, which task and which rows. */
export function addData(parser: Command): void {
  parser
    .optionsGroup("Model and data:")
    .option("--task <names>", "tasks, separated by commas, or all", taskList, defaults.task);
  addRows(parser);
}

/** Adds the options that say which model. */
export function addModel(parser: Command): void {
  parser
    .option(
      "--model <folder|file|id>",
      "a folder in Hugging Face layout, a file of weights (.gguf, .bin, .safetensors), a hub id, or a bundled model: opt-reviews (default) or roberta-reviews",
    )
    .option(
      "--revision <name>",
      "of a model on the hub: a branch, tag or commit (default: main); also --model id@revision",
    );
}

/** Adds the options that say which model and which rows. */
export function addRows(parser: Command): void {
  addModel(parser.optionsGroup("Model and data:"));
  parser
    .option(
      "--data <path|hf:id>",
      "a folder with train, validation or test files, one TSV, CSV, JSONL or Parquet file, or a data set on the hub, such as hf:stanfordnlp/sst2 or hf:nyu-mll/glue/sst2 (default: bundled sentences for SST-2, the kit's 32 samples for the others)",
    )
    .option("--encoding <name>", "of data files that are not in UTF-8, such as windows-1252")
    .addOption(
      new Option("--quoting <kind>", "double quotes in TSV and CSV: around fields, or part of the text").choices(
        choices.quoting,
      ),
    )
    .option("--train <n>", "examples to train on (default: 1000; of columns of your own 3000)", whole(1))
    .option(
      "--dev <n>",
      "examples to choose the best step by (default: 500; CB and COPA 100; of columns of your own 1000)",
      whole(1),
    )
    .option("--test <n>", "examples to report on", whole(1), defaults.test)
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
    .addOption(wanted.argParser(split).default(defaults.methods, "all"))
    .addOption(seeds.argParser(seedList).default(defaults.seeds, "1"))
    .option(
      "--split-seed <n>",
      "draws split and batches of all seeds, which then differ in z (default: each draws its own)",
      whole(0),
    )
    .option("--shots <n>", "demonstrations for ICL", whole(1), defaults.shots)
    .addOption(
      new Option("--demonstrations <draw>", "drawn again for each example, as in the paper's code, or the same for all")
        .choices(choices.demonstrations)
        .default(defaults.demonstrations),
    )
    .addOption(
      new Option("--begin <token>", "begin token: 0 as the paper's code, or the config's")
        .choices(choices.begin)
        .default(defaults.begin),
    );
}

/** Adds the options of training methods. */
export function addTraining(parser: Command): void {
  const values = "one for all methods, or mezo=…,ft-lora=…";
  parser
    .optionsGroup("Training:")
    .option("--steps <n>", `steps: ${values}`, perMethod(whole(1)))
    .option("--batch-size <n>", `examples a step: ${values}`, perMethod(whole(1)))
    .option("--lr <rate>", `learning rate: ${values}`, perMethod(numberThat(amount)))
    .option("--eps <size>", `size of MeZO's perturbation: ${values}`, perMethod(numberThat(amount)))
    .addOption(
      new Option("--schedule <name>", "MeZO's learning rate over the steps")
        .choices(choices.schedule)
        .default(defaults.schedule),
    )
    .option("--weight-decay <rate>", "weight decay", numberThat(amount), defaults.weightDecay)
    .addOption(new Option("--noise <law>", "law of z").choices(choices.noise).default(defaults.noise))
    .addOption(
      new Option(
        "--choose-by <dev>",
        "best step: that of the lowest dev loss, or of the highest dev score (default: loss, with masked models score, as the authors' code)",
      ).choices(choices.chooseBy),
    )
    .addOption(
      new Option("--maximize <measure>", "what MeZO makes large in place of the loss, without a gradient").choices(
        choices.maximize,
      ),
    )
    .option(
      "--evaluate-every <n>",
      "steps between two looks at dev (default: a fifth of all; masked models a tenth)",
      whole(1),
    )
    .option("--micro-batch-size <n>", "examples that are run at once (default: a whole batch)", whole(1))
    .option("--checkpointing", "backpropagation keeps each layer's input only, and computes the rest again", false);
}

/** Adds the options of LoRA and the prefix. */
export function addAdapters(parser: Command): void {
  parser
    .optionsGroup("Adapters:")
    .option("--rank <n>", "LoRA's rank (default: 8)", whole(1))
    .option(
      "--alpha <number>",
      "LoRA's alpha: corrections are multiplied by alpha / rank (default: 16)",
      numberThat(above0),
    )
    .option(
      "--targets <names>",
      "linear maps that LoRA adapts, by the ends of their names, or all-linear (default: queries and values)",
    )
    .option("--rslora", "LoRA's corrections are multiplied by alpha / √rank in place of alpha / rank")
    .option("--prefix-length <n>", "keys and values of a prefix in each layer (default: 5)", whole(1))
    .addOption(
      new Option(
        "--prefix-init <start>",
        "a prefix begins as real activations, or as random numbers (default: activations)",
      ).choices(choices.prefixInit),
    );
}

/** Adds the options that say where and how to compute. */
export function addBackend(parser: Command): void {
  parser
    .addOption(new Option("--backend <name>", "where to compute").choices(choices.backend).default(defaults.backend))
    .option("--threads <n>", "threads (default: one a core)", whole(1))
    .addOption(
      new Option(
        "--products <kind>",
        "how native forms matrix products (default: the processor's, which mezo backends tells)",
      ).choices(choices.products),
    );
}

/** Adds the options that say where and how to compute, and in what the weights are kept. */
export function addMachine(parser: Command): void {
  addBackend(parser.optionsGroup("Machine:"));
  parser
    .addOption(
      new Option("--weights <format>", "what the model's matrices are kept in; 16 bits take half the memory")
        .choices(choices.weights)
        .default(defaults.weights),
    )
    .option("--untied", "gives a tied output matrix weights of its own, as the authors' code does with RoBERTa", false)
    .addOption(
      new Option("--rounding <kind>", "of steps in 16 bits: by chance, so that small ones count in the mean, or not")
        .choices(choices.rounding)
        .default(defaults.rounding),
    );
}

function addOutput(parser: Command): void {
  parser
    .optionsGroup("Output:")
    .option(
      "--out <folder>",
      "where the runs are written; those of equal task, rows, model, method and seed are replaced",
      defaults.out,
    )
    .option("--figures <folder>", "where the picture is written; one of equal name is replaced", defaults.figures)
    .option("--resume", "keeps finished runs of equal settings, and resumes one that was cut short", false)
    .option(
      "--smoke",
      `a short look at everything: few examples, ${SMOKE_STEPS} steps; into ${smokeDefaults.out} and ${smokeDefaults.figures}, where runs of equal names are replaced`,
      false,
    );
}

/** The request that a parsed `mezo table` was given. Throws a KitError for what is wrong. */
export function readRequest(command: Command): MeasureRequest {
  const given = givenOptions<MeasureOptions & { method?: readonly string[]; cluster?: string }>(command);
  const { method: methods, cluster: _, ...options } = given;
  return makeRequest({ ...options, ...(methods && { methods }) }, flagName);
}

/** The options that the command line has, without those that have a default only. */
export function givenOptions<T extends object>(command: Command): Partial<T> {
  const given = Object.entries(command.opts()).filter(([name]) => command.getOptionValueSource(name) === "cli");
  return Object.fromEntries(given) as Partial<T>;
}
