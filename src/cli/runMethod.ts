import type { Adapter } from "../adapters/adapter.ts";
import { headTuning } from "../adapters/headTuning.ts";
import { lora } from "../adapters/lora.ts";
import { prefix } from "../adapters/prefix.ts";
import { sharedPrompts } from "../experiment/candidateScores.ts";
import { encodeBatch } from "../experiment/encode.ts";
import { evaluate, evaluateMajority } from "../experiment/evaluate.ts";
import { isFinished } from "../experiment/finished.ts";
import { probe } from "../experiment/probe.ts";
import type { Run, UnfinishedRun } from "../experiment/run.ts";
import { tune } from "../experiment/tune.ts";
import type { RunRecorder } from "../experiment/tuneOptions.ts";
import type { LanguageModel } from "../models/model.ts";
import type { Task } from "../tasks/task.ts";
import { gaussian, rademacher } from "../tensor/perturb.ts";
import type { Progress } from "../tensor/progress.ts";
import { adam } from "../tuners/adam.ts";
import { mezo } from "../tuners/mezo.ts";
import type { Tuner } from "../tuners/tuner.ts";
import type { CliOptions } from "./options.ts";
import { valueFor } from "./perMethod.ts";
import { type Settings, settingsFor, type Trained } from "./settings.ts";

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
