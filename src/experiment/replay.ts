import { setImmediate } from "node:timers/promises";
import * as tf from "@tensorflow/tfjs-core";
import { type Adapted, type Adapter, adaptedModel, adapterNamed } from "../adapters/adapter.ts";
import "../adapters/index.ts"; // defines the adapters that runs name
import { checkOptions, KitError } from "../error.ts";
import type { LanguageModel } from "../models/network.ts";
import { bringBaseBack } from "../models/network.ts";
import { hashTheta } from "../record/observe.ts";
import type { RunHeader, StepRecord, UnfinishedRun } from "../record/run.ts";
import { cut, firstOf, stepsTaken } from "../record/steps.ts";
import { levelInUse, productsInUse } from "../tensor/backend.ts";
import { type DeferredSweeps, deferSweeps } from "../tensor/deferred.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Progress } from "../tensor/progress.ts";
import { withoutLibrary } from "../tensor/x86/library.ts";
import { tunerNamed } from "../tuners/define.ts";
import "../tuners/index.ts"; // defines the tuners that runs name
import { asRead } from "../record/lines.ts";
import type { Objective, StepResult, Training, Tuner } from "../tuners/tuner.ts";
import { NOISE_VERSION } from "./header.ts";
import { placeRows } from "./probe.ts";

/** Settings of making a run's weights again. */
export interface ReplayOptions {
  /** After how many steps; after all where it is left out. `bestStep` gives that of the best dev score or loss. */
  readonly step?: number;
  readonly onProgress?: Progress;
}

/** The recomputed weights of a run. */
export interface Replayed {
  /** The tuned model: the one that was given, whose weights were changed in place, or that with an adapter beside its weights. */
  readonly model: LanguageModel;
  readonly adapted?: Adapted;
  readonly step: number;
  /** Whether the run says what the weights were there, and they are that, to the bit. */
  readonly checked: boolean;
  /** Frees the adapter and brings the base weights back. */
  dispose(): void;
}

/**
 * Makes the tuned weights of a run again from the base model and the run's file alone, no data and no forward pass needed: the weights
 * that training had, to the bit, whatever backend it ran on. A prefix that began from activations on another backend, or from
 * products formed otherwise, is as near as the two compute them, and a model kept in other numbers than the run's has their rounding in every step: `checked` is false then. Throws a KitError for another base model, a run that was edited, and one whose steps a file does not tell, as FT's.
 */
export async function replay(model: LanguageModel, run: UnfinishedRun, options: ReplayOptions = {}): Promise<Replayed> {
  const { step = stepsTaken(run), onProgress, ...unknown } = options;
  checkOptions("replay", unknown, ["step", "onProgress"]);
  checkBase(model, run);
  const wanted = cut(run, step);
  const { header } = firstOf(run);
  model.restore();
  const adapted = beginAdapter(model, header);
  const dispose = (): void => {
    adapted?.dispose();
    if (!adapted) bringBaseBack(model, header.method);
  };
  const theta = adapted?.parameters ?? model.parameters;
  try {
    (await retrace(theta, wanted, onProgress)).dispose();
    const checked = await checkTheta(theta, wanted, model);
    const tuned = adapted ? adaptedModel(model, adapted) : model;
    return { model: tuned, ...(adapted && { adapted }), step, checked, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** Throws a KitError unless the model is the one that the run was made from, and the kit can make the run's z. */
export function checkBase(model: LanguageModel, { header }: UnfinishedRun): void {
  if (header.weightsHash !== model.weightsHash)
    throw new KitError(
      `The run was made from ${header.model} with the weights ${header.weightsHash}, but ${model.id} with the weights ${model.weightsHash} was given: load the model that the run names.`,
    );
  if (Boolean(header.untied) !== Boolean(model.untied))
    throw new KitError(
      `The run was made with ${header.untied ? "an output matrix of its own" : "the output matrix as the base model has it"}, and ${model.id} was loaded otherwise: load it with untied ${Boolean(header.untied)}.`,
    );
  if (header.noise !== NOISE_VERSION)
    throw new KitError(
      `The run's z is that of ${header.noise ?? "an earlier version of the kit"}, but this version makes ${NOISE_VERSION}: use the kit's version ${header.kit}, which wrote the run.`,
    );
}

/**
 * Makes all steps of a run again from its file's numbers, those of the run that it was forked from first, in place, many of them in
 * one pass over the weights; theta must be as it was when the run began. Gives the training, ready for its next step. The tuner is that of the
 * header unless one is given. A probe's rows are put in place. Throws a KitError where a step cannot be replayed.
 */
export async function retrace(
  theta: readonly Parameter[],
  run: UnfinishedRun,
  onProgress: Progress = () => {},
  tuner?: Tuner,
): Promise<Training> {
  if (run.header.head) {
    await placeRows(theta, run.header.head);
    return PROBED;
  }
  if (run.before) (await retrace(theta, run.before, onProgress)).dispose();
  const sweeps = deferSweeps();
  const training = (tuner ?? makeTuner(run.header)).begin(theta, sweeps.through);
  try {
    await retakeSteps({ training, sweeps }, run, onProgress);
    return training;
  } catch (error) {
    training.dispose();
    throw error;
  }
}

/** The tuner of a run, from its header. Throws a KitError for one that is not defined, such as FT, and where the run takes no steps. */
export function makeTuner({ tuner, method }: RunHeader): Tuner {
  if (tuner) return tunerNamed(tuner.name, tuner.options);
  throw new KitError(`The steps of ${method} were to be replayed, but it takes none: give a run of tune.`);
}

/** The adapter of a run as it was before its first step, where it has one. Throws a KitError for one that is not defined. */
export function beginAdapter(model: LanguageModel, header: RunHeader): Adapted | undefined {
  const { adapter } = header;
  return adapter && beginAs(header, adapterNamed(adapter.name, adapter.options), model);
}

/** Begins an adapter as the run of a header did: by the kit's own kernels where that had them. */
export function beginAs({ seed, processor = "none" }: RunHeader, adapter: Adapter, model: LanguageModel): Adapted {
  const begin = (): Adapted => adapter.begin(model, { seed, vocabulary: model.tokenizer.size });
  return processor === "none" ? withoutLibrary(begin) : begin();
}

/** A probe takes no steps. */
const PROBED: Training = {
  step: () => {
    throw new KitError(
      "A step was to be taken on from a probe, which takes none: begin a run from it (tune's `from`).",
    );
  },
  dispose: () => {},
};

/** Steps between two looks at the rest of the world. */
const STEPS_A_TURN = 64;

/** Takes the steps of a run again, many of them in one pass over the weights. Throws a KitError where one does not follow from its numbers. */
export function retakeSteps(
  { training, sweeps }: { readonly training: Training; readonly sweeps: DeferredSweeps },
  run: Pick<UnfinishedRun, "header" | "steps">,
  onProgress?: Progress,
): Promise<void> {
  return sweeps.during(() => allSteps(training, run, onProgress));
}

async function allSteps(
  training: Training,
  { header, steps }: Pick<UnfinishedRun, "header" | "steps">,
  onProgress: Progress = () => {},
): Promise<void> {
  const total = Number(header.settings.steps);
  for (const [i, record] of steps.entries()) {
    const { objective, isOver } = replayLosses(record, header.passes);
    const { projectedGrad } = await training.step(objective, { seed: header.seed, step: record.step, total });
    if (!isOver() || !isSame(projectedGrad, record.projectedGrad)) throw edited(record.step, header);
    if ((i + 1) % STEPS_A_TURN === 0) await setImmediate();
    onProgress({ label: "steps again", done: i + 1, total: steps.length });
  }
}

/** Whether two estimates are the same in float32, which is what files hold. */
export function isSame(one: StepResult["projectedGrad"], other: StepResult["projectedGrad"]): boolean {
  if (one === undefined || other === undefined) return one === other;
  return String(asRead(one)) === String(asRead(other));
}

/** A step's numbers do not follow from each other. */
export const edited = (step: number, { tuner }: RunHeader): KitError =>
  new KitError(
    `Step ${step} was to be replayed, but its numbers do not follow from each other by ${tuner?.name}: the run was edited; take the file as it was written.`,
  );

/**
 * Whether the weights are those that the run says it had after its last step, to the bit; not where it says nothing. Throws a KitError
 * where they are others, unless the model is kept in other numbers than the run's was, or a prefix began from activations computed otherwise:
 * there they are near.
 */
export async function checkTheta(
  theta: readonly Parameter[],
  run: UnfinishedRun,
  model: LanguageModel,
): Promise<boolean> {
  const was = run.scores.findLast(({ step }) => step === stepsTaken(run))?.theta;
  const is = was && (await hashTheta(theta));
  if (is === undefined || is === was) return is !== undefined;
  if (!isRepeated(run.header, model)) return false;
  throw new KitError(
    `The run's weights were recomputed, but those after step ${stepsTaken(run)} are ${is} instead of ${was}: the run was edited; take the file as it was written.`,
  );
}

/** Whether the same operations on the same numbers are done again. */
function isRepeated(header: RunHeader, { kept }: LanguageModel): boolean {
  const { weights, adapter, backend, products = "float32", processor = "none" } = header;
  const isKeptAlike = weights?.format === kept?.format && weights?.rounding === kept?.rounding;
  const isComputedAlike = (): boolean =>
    backend === tf.getBackend() && products === productsInUse(kept) && processor === levelInUse();
  return isKeptAlike && (adapter?.name !== "prefix" || isComputedAlike());
}

/** A step's losses given again, and whether all of them were asked for. */
export interface ReplayedLosses {
  readonly objective: Objective;
  readonly isOver: () => boolean;
}

/**
 * An objective that gives what a step's line holds, in order, in the way that the run's was asked: so that the same tuner makes the
 * same step of it, to the bit. It has no gradient. Throws a KitError where more is asked for than the line holds.
 */
export function replayLosses({ step, losses }: StepRecord, passes: RunHeader["passes"]): ReplayedLosses {
  let at = 0;
  const next = (): number => {
    const loss = losses[at++];
    if (loss !== undefined) return loss;
    throw new KitError(
      `Step ${step} was to be replayed, but its line holds ${losses.length} losses and the tuner asks for more: the run was edited; take the file as it was written.`,
    );
  };
  const objective: Objective = {
    value: next,
    ...(passes === "pair" && { pair: () => ({ lossPlus: next(), lossMinus: next() }) }),
    ...(passes === "side" && { side: next }),
    gradientNorms: async (groups) => groups.map(next),
    derivative: () => ({ loss: next(), derivative: next() }),
  };
  return { objective, isOver: () => at === losses.length };
}
