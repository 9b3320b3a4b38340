import type { Adapter } from "../adapters/adapter.ts";
import { headTuning } from "../adapters/head.ts";
import { lora } from "../adapters/lora.ts";
import { prefix } from "../adapters/prefix.ts";
import { evaluate, evaluateMajority } from "../experiment/evaluate.ts";
import { probe } from "../experiment/probe.ts";
import { tune } from "../experiment/tune.ts";
import { sharedPrompts } from "../loss/candidates.ts";
import { encodeBatch } from "../loss/encode.ts";
import type { LanguageModel } from "../models/network.ts";
import { isFinished } from "../record/diff.ts";
import type { Run, RunRecorder, UnfinishedRun } from "../record/run.ts";
import type { Task } from "../tasks/task.ts";
import { gaussian, rademacher } from "../tensor/parameter.ts";
import type { Progress } from "../tensor/progress.ts";
import { adam } from "../tuners/adam.ts";
import { mezo } from "../tuners/mezo.ts";
import type { Tuner } from "../tuners/tuner.ts";
import { paperGrid } from "./paper.ts";
import { type CliOptions, valueFor } from "./request.ts";

/** The methods in the order of the paper's Tables 1 and 18. */
export const methods: readonly string[] = [
  "Majority",
  "Zero-shot",
  "ICL",
  "LP",
  "FT",
  "FT (LoRA)",
  "FT (prefix)",
  "MeZO",
  "MeZO (LoRA)",
  "MeZO (prefix)",
];

/** Whether a method uses a model and is drawn as a mark; the majority class is a line. */
export function isMarked(method: string): boolean {
  return method !== "Majority";
}

/** The methods of the runs: first those of the paper's tables in their order, then others as they come. */
export function methodsOf(runs: readonly Run[]): string[] {
  const own = new Set(runs.map(({ header }) => header.method));
  return [...methods.filter((method) => own.has(method)), ...[...own].filter((method) => !methods.includes(method))];
}

/** Methods that train, as the paper's tables print them. */
export type Trained = "FT" | "FT (LoRA)" | "FT (prefix)" | "MeZO" | "MeZO (LoRA)" | "MeZO (prefix)";

/** What a training method takes where the command line says nothing; eps is MeZO's alone. */
export interface Settings {
  readonly lr: number;
  readonly eps: number;
  readonly steps: number;
  readonly batchSize: number;
}

type Table = Readonly<Record<Trained, Settings>>;

const row = (lr: number, eps: number, steps: number, batchSize: number): Settings => ({ lr, eps, steps, batchSize });

/** For the models that ship with the kit: small models take larger steps, and few steps fit a laptop. */
const BUNDLED: Readonly<Record<string, Table>> = {
  "opt-reviews": {
    FT: row(3e-4, 0, 120, 16),
    "FT (LoRA)": row(3e-3, 0, 120, 16),
    "FT (prefix)": row(3e-2, 0, 120, 16),
    MeZO: row(1e-4, 1e-3, 2000, 16),
    "MeZO (LoRA)": row(1e-3, 1e-2, 1000, 16),
    "MeZO (prefix)": row(1e-1, 1e-1, 1000, 16),
  },
  "roberta-reviews": {
    FT: row(1e-4, 0, 120, 16),
    "FT (LoRA)": row(1e-3, 0, 120, 16),
    "FT (prefix)": row(3e-2, 0, 120, 16),
    MeZO: row(5e-5, 1e-3, 1000, 16),
    "MeZO (LoRA)": row(1e-3, 1e-2, 1000, 16),
    "MeZO (prefix)": row(1, 1e-1, 1000, 16),
  },
};

/** The defaults of a method for a model: for those that ship with the kit their own, for others out of the paper's grids (Tables 15 and 16). */
export function settingsFor({ id, prompts }: Pick<LanguageModel, "id" | "prompts">, method: Trained): Settings {
  return BUNDLED[id]?.[method] ?? paperSettings(prompts, method);
}

/** FT takes the first rate of its grid and the only batch size that all of FT's grids have, Table 16's; MeZO the middle rate, the first of two. */
function paperSettings(prompts: LanguageModel["prompts"], method: Trained): Settings {
  const [opt, roberta] = [paperGrid("OPT"), paperGrid("RoBERTa")];
  const family = prompts === "masked" ? roberta : opt;
  const { lr, eps, batchSize, steps } = family[method] ?? roberta[method]!; // Table 16 lacks FT's adapters
  if (method.startsWith("FT")) return row(lr[0]!, 0, family.FT!.steps!, opt.FT!.batchSize[0]!);
  return row(lr[Math.floor((lr.length - 1) / 2)]!, eps![0]!, steps!, batchSize[0]!);
}

/** All that a method needs to run once. */
export interface Setup {
  readonly model: () => Promise<LanguageModel>;
  readonly task: Task;
  readonly seed: number;
  readonly options: CliOptions;
  readonly onProgress: Progress;
  readonly record: RunRecorder;
  /** A run of this very kind that was cut short, or finished. */
  readonly resume?: UnfinishedRun;
}

/** Each method of the paper's tables, run once; adding one adds a line here and in report/methods.ts. */
const RUNNERS: Readonly<Record<string, (setup: Setup) => Run | Promise<Run>>> = {
  Majority: ({ task, seed, resume }) => {
    const run = evaluateMajority(task, seed);
    return isFinished(resume, run.header) ? resume : run;
  },
  "Zero-shot": (setup) => evaluated(setup, 0),
  ICL: (setup) => evaluated(setup, setup.options.shots),
  LP: probed,
  FT: (setup) => trained(setup, "FT"),
  "FT (LoRA)": (setup) => trained(setup, "FT (LoRA)", lora()),
  "FT (prefix)": (setup) => trained(setup, "FT (prefix)", prefix()),
  MeZO: (setup) => trained(setup, "MeZO"),
  "MeZO (LoRA)": (setup) => trained(setup, "MeZO (LoRA)", lora()),
  "MeZO (prefix)": (setup) => trained(setup, "MeZO (prefix)", prefix()),
};

/** Head tuning's settings (Appendix E.4): Adam, 5 epochs of 8 examples. */
const HEAD_TUNING = { lr: 1e-4, batchSize: 8, epochs: 5 };

/** Runs a method once. */
export async function runMethod(method: string, setup: Setup): Promise<Run> {
  return RUNNERS[method]!(setup);
}

/** What a method takes for a model: what the command line says, else the defaults. */
export function settingsOf(
  options: CliOptions,
  model: Pick<LanguageModel, "id" | "prompts">,
  method: Trained,
): Settings {
  const { lr, eps, steps, batchSize } = settingsFor(model, method);
  return {
    lr: valueFor(options.lr, method) ?? lr,
    eps: valueFor(options.eps, method) ?? eps,
    steps: valueFor(options.steps, method) ?? steps,
    batchSize: valueFor(options.batchSize, method) ?? batchSize,
  };
}

/** The tuner of a method. Throws a KitError for settings that it cannot take. */
export function tunerOf(method: Trained, { lr, eps }: Settings, options: CliOptions): Tuner {
  const { weightDecay, schedule, noise } = options;
  if (method.startsWith("FT")) return adam({ lr, weightDecay });
  return mezo({ lr, eps, weightDecay, schedule, noise: { gaussian, rademacher }[noise] });
}

async function evaluated(setup: Setup, shots: number): Promise<Run> {
  const { model, task, seed, options, onProgress, resume } = setup;
  const { begin, demonstrations: draw } = options;
  return evaluate(await model(), task, { shots, draw, seed, begin, onProgress, ...(resume && { resume }) });
}

/** Logistic regression where the answers are single tokens, head tuning where they are texts (Table 1's LP). */
async function probed(setup: Setup): Promise<Run> {
  const { task, seed, options, onProgress, record, resume } = setup;
  const model = await setup.model();
  const { begin } = options;
  if (task.loss === "candidates" && sharedPrompts(encodeBatch(model, task.train, begin).examples))
    return probe(model, task, { seed, begin, onProgress, ...(resume && { resume }) });
  const { lr, epochs } = HEAD_TUNING;
  const batchSize = valueFor(options.batchSize, "LP") ?? HEAD_TUNING.batchSize;
  const steps = valueFor(options.steps, "LP") ?? epochs * Math.ceil(task.train.length / batchSize);
  const past = { record, ...(resume && { resume }) };
  const settings = { steps, batchSize, seed, begin, method: "LP", adapter: headTuning(), onProgress, ...past };
  return tune(model, task, adam({ lr: valueFor(options.lr, "LP") ?? lr }), settings);
}

async function trained(setup: Setup, method: Trained, adapter?: Adapter): Promise<Run> {
  const { task, seed, options, onProgress, record, resume } = setup;
  const model = await setup.model();
  const settings = settingsOf(options, model, method);
  const { steps, batchSize } = settings;
  const { begin, checkpointing, chooseBy } = options;
  return tune(model, task, tunerOf(method, settings, options), {
    ...{ steps, batchSize, seed, begin, checkpointing, onProgress, record },
    ...(adapter && { adapter }),
    ...(chooseBy && { chooseBy }),
    ...(resume && { resume }),
  });
}
