import type { Adapter } from "../adapters/adapter.ts";
import type { Run } from "../record/run.ts";
import type { TaskDefinition } from "../tasks/task.ts";
import {
  type AdapterSettings,
  backpropagation,
  requestedLora,
  requestedPrefix,
  runMajority,
  runProbe,
  runShots,
  runTraining,
  type Settings,
  type Setup,
  type Trainer,
  type Trains,
  zerothOrder,
} from "./runMethod.ts";
import {
  coneTrainer,
  fzooTrainer,
  lozoMomentumTrainer,
  lozoTrainer,
  sparseTrainer,
  strategiesTrainer,
} from "./since.ts";

/** How a method is drawn: one of the kit's colours, by its name, and a symbol of plotly.js. */
export interface MethodMark {
  readonly color: "vermillion" | "blue" | "green" | "orange" | "sky" | "purple" | "black";
  readonly symbol: string;
}

/** The kinds of prompts that tasks have and models read. */
export type Prompts = "autoregressive" | "masked";

/** A method of the paper's tables: a row of `methods`, which is all that the kit knows of it. */
export interface Method {
  /** As the paper's tables print it. */
  readonly name: string;
  /** Runs it once. */
  readonly run: (setup: Setup) => Run | Promise<Run>;
  /** How it is drawn; absent for the majority class, which is a line. */
  readonly mark?: MethodMark;
  /** Why it cannot be run on a task with a kind of model, where it cannot. */
  readonly reasonAgainst?: (task: TaskDefinition, prompts: Prompts) => string | undefined;
  /** Whether it is run only where it is named, as no table of the paper has it. */
  readonly isOption?: true;
  /** Its adapter, where it trains one. */
  readonly adapter?: (request: AdapterSettings) => Adapter;
}

/** A method that trains by a tuner. */
export interface TrainingMethod extends Method, Trains {}

function training(row: Omit<TrainingMethod, "run">): TrainingMethod {
  return { ...row, run: (setup) => runTraining(setup, row, row.adapter?.(setup.request)) };
}

/** The authors' code has it as an option, and no table: it is run where it is named. */
function calibrated(row: Method): Method {
  return {
    ...row,
    isOption: true,
    reasonAgainst: ({ metric }, prompts) =>
      metric === "F1"
        ? "its answers are written out, and calibration compares options"
        : prompts === "masked"
          ? "prompts without content are for autoregressive models only"
          : undefined,
  };
}

const sizes = (lr: number, eps: number, steps: number): Settings => ({ lr, eps, steps, batchSize: 16 });

/**
 * A method since the paper, with all weights: run where it is named. On the bundled models it has MeZO's number of forward passes; on
 * bundled OPT the rate is the best of notebook 19's grid, on the bundled RoBERTa half of it.
 */
function since(name: string, trainer: Trainer, lr: number, steps: number, mark: MethodMark): TrainingMethod {
  const bundled = { "opt-reviews": sizes(lr, 1e-3, steps), "roberta-reviews": sizes(lr / 2, 1e-3, steps / 2) };
  return { ...training({ name, trainer, bundled, mark }), isOption: true };
}

/**
 * The methods in the order of the paper's Tables 1 and 18, with the authors' options between them. Adding one adds a row. No colour is there twice among methods that train: cold
 * ones for FT, warm ones for MeZO, black where the model stays as it is. The shape says what is trained: all weights, LoRA or a prefix. The methods since
 * the paper, at the end, have shapes of their own.
 */
export const methods: readonly (Method | TrainingMethod)[] = [
  {
    name: "Majority",
    run: runMajority,
    reasonAgainst: ({ metric, classes }) =>
      metric === "F1" || classes === "none" ? "its answers are texts and not classes" : undefined,
  },
  { name: "Zero-shot", run: (setup) => runShots(setup, 0), mark: { color: "black", symbol: "circle" } },
  calibrated({
    name: "Zero-shot (calibrated)",
    run: (setup) => runShots(setup, 0, true),
    mark: { color: "black", symbol: "hexagon" },
  }),
  {
    name: "ICL",
    run: (setup) => runShots(setup, setup.request.shots),
    mark: { color: "black", symbol: "triangle-down" },
    reasonAgainst: (_, prompts) =>
      prompts === "masked" ? "the paper learns in context with autoregressive models only" : undefined,
  },
  calibrated({
    name: "ICL (calibrated)",
    run: (setup) => runShots(setup, setup.request.shots, true),
    mark: { color: "black", symbol: "pentagon" },
  }),
  { name: "LP", run: runProbe, mark: { color: "black", symbol: "star" } },
  training({
    name: "FT",
    trainer: backpropagation,
    bundled: { "opt-reviews": sizes(1e-4, 0, 120), "roberta-reviews": sizes(3e-4, 0, 120) },
    mark: { color: "blue", symbol: "square" },
  }),
  training({
    name: "FT (LoRA)",
    trainer: backpropagation,
    adapter: requestedLora,
    bundled: { "opt-reviews": sizes(3e-3, 0, 120), "roberta-reviews": sizes(3e-3, 0, 120) },
    mark: { color: "sky", symbol: "triangle-up" },
  }),
  training({
    name: "FT (prefix)",
    trainer: backpropagation,
    adapter: requestedPrefix,
    bundled: { "opt-reviews": sizes(3e-2, 0, 120), "roberta-reviews": sizes(1e-1, 0, 120) },
    mark: { color: "green", symbol: "diamond" },
  }),
  training({
    name: "MeZO",
    trainer: zerothOrder,
    bundled: { "opt-reviews": sizes(5e-5, 1e-3, 2000), "roberta-reviews": sizes(1e-4, 1e-3, 1000) },
    mark: { color: "vermillion", symbol: "square" },
  }),
  training({
    name: "MeZO (LoRA)",
    trainer: zerothOrder,
    adapter: requestedLora,
    bundled: { "opt-reviews": sizes(2e-3, 1e-2, 1000), "roberta-reviews": sizes(2e-3, 1e-2, 1000) },
    mark: { color: "orange", symbol: "triangle-up" },
  }),
  training({
    name: "MeZO (prefix)",
    trainer: zerothOrder,
    adapter: requestedPrefix,
    bundled: { "opt-reviews": sizes(1e-1, 1e-1, 1000), "roberta-reviews": sizes(1e-1, 1e-1, 1000) },
    mark: { color: "purple", symbol: "diamond" },
  }),
  since("FZOO", fzooTrainer, 3e-6, 440, { color: "blue", symbol: "hourglass" }),
  since("Evolution strategies", strategiesTrainer, 3e-3, 500, { color: "green", symbol: "hexagram" }),
  since("LOZO", lozoTrainer, 3e-5, 2000, { color: "sky", symbol: "bowtie" }),
  since("LOZO-momentum", lozoMomentumTrainer, 3e-5, 2000, { color: "orange", symbol: "bowtie" }),
  since("Sparse-MeZO", sparseTrainer, 3e-4, 2000, { color: "purple", symbol: "cross" }),
  since("ConMeZO", coneTrainer, 3e-5, 2000, { color: "vermillion", symbol: "cross" }),
];

/** The names of the methods, in their order. */
export const methodNames: readonly string[] = methods.map(({ name }) => name);

/** The methods that the paper's tables have: those that are run where none is named. */
export const paperMethods: readonly (Method | TrainingMethod)[] = methods.filter(({ isOption }) => !isOption);

/** The methods that train by a tuner. */
export const trainingMethods: readonly TrainingMethod[] = methods.filter((method) => "trainer" in method);

/** A method's name in file names and on command lines: "mezo-lora" of "MeZO (LoRA)". */
export const plainName = (name: string): string =>
  name
    .replace(/ \((.*)\)/, "-$1")
    .replaceAll(" ", "-")
    .toLowerCase();

/** The method of that name, whatever its case and punctuation: "mezo-lora" is MeZO (LoRA). */
export function findMethod(name: string): Method | TrainingMethod | undefined {
  const letters = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, "");
  return methods.find((method) => letters(method.name) === letters(name));
}

const byName: ReadonlyMap<string, Method> = new Map(methods.map((method) => [method.name, method]));

/** Whether a method uses a model and is drawn as a mark; the majority class is a line. */
export function isMarked(name: string): boolean {
  const method = byName.get(name);
  return method === undefined || method.mark !== undefined;
}

/** The mark of a method of the tables, where it has one. */
export const findMark = (name: string): MethodMark | undefined => byName.get(name)?.mark;

/** The methods of the runs: first those of the paper's tables in their order, then others as they come. */
export function listMethods(runs: readonly Run[]): string[] {
  const own = new Set(runs.map(({ header }) => header.method));
  return [...methodNames.filter((name) => own.has(name)), ...[...own].filter((name) => !methodNames.includes(name))];
}
