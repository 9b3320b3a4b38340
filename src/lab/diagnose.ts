import type { Adapter } from "../adapters/adapter.ts";
import { adaptedModel } from "../adapters/adapter.ts";
import { checkFinite } from "../experiment/checkFinite.ts";
import { type Begin, batches, checkBegin, encodeBatch, type LabelledBatch } from "../loss/encode.ts";
import { microBatches, objectiveFor } from "../loss/objective.ts";
import { restoreUnnoticed } from "../models/goneWeights.ts";
import type { LanguageModel } from "../models/network.ts";
import type { Task } from "../tasks/task.ts";
import type { HalfKind } from "../tensor/halves.ts";
import { canPair } from "../tensor/pair.ts";
import { type Draw, gaussian, type Parameter, type Perturb } from "../tensor/parameter.ts";
import type { Progress } from "../tensor/progress.ts";
import { refuseUnknown, refuseUnless, wholeFromOne } from "../tuners/zeroth.ts";
import {
  type Curvature,
  curvatureOf,
  type Plateau,
  plateauOf,
  SWEPT,
  type Sweep,
  slopesOf,
  sweepOf,
} from "./plateau.ts";
import { NUDGES, type RoundingError, roundingErrorOf, type Swallowed, swallowedBy } from "./rounding.ts";
import { type HalvedBatch, halfSlopes, type PromptCheck, promptCheck, type Signal, signalOf } from "./signal.ts";

/** Settings to begin with. */
export interface Suggested {
  readonly eps: number;
  /** Absent where the measurements do not tell: no signal, or a loss that does not bend upwards. */
  readonly lr?: number;
  readonly batchSize: number;
}

/** How far inside the plateau a suggested eps lies where there is room: chance in the few z puts its ends here or there. */
const MARGIN = 3;

/** What the first step's best rate is divided by. */
const LEEWAY = 10;

/** The eps in question where it lies on the plateau, else the nearest well inside it; without a plateau, the one in question. */
export function suggestedEps(eps: number, plateau: Plateau | undefined): number {
  if (!plateau || (eps >= plateau.from && eps <= plateau.to)) return eps;
  const [from, to] = [MARGIN * plateau.from, plateau.to / MARGIN];
  const inside = from > to ? Math.sqrt(plateau.from * plateau.to) : Math.min(Math.max(eps, from), to);
  return Number(inside.toPrecision(1));
}

/**
 * The batch to take: the one in question where its choice adds less chance to g than there is signal, else the next power of two
 * from which that is so, four times the one in question at most, and no more than there are examples.
 */
export function suggestedBatch(batchSize: number, { evenBatch }: Signal, examples: number): number {
  if (Number.isNaN(evenBatch) || evenBatch <= batchSize) return batchSize;
  return Math.min(2 ** Math.ceil(Math.log2(evenBatch)), 4 * batchSize, examples);
}

/**
 * The learning rate that lowers the loss most in one step, to second order: a step −lr g z changes it by −lr g g' + lr² g² h / 2, with g
 * the batch's slope along z, g' all examples' and h the curvature. In the mean over batches g g' is s² and g² is s² + n², of
 * signal and noise: lr = s² / ((s² + n²) h), and n² / s² is the even batch over the batch. For h stands its mean and two standard
 * errors, as too small a rate costs less than too large a one. Undefined where there is no signal, or h is below 0 even so.
 */
export function bestRate(
  batchSize: number,
  { evenBatch }: Signal,
  { mean, standardError }: Curvature,
): number | undefined {
  const rate = 1 / ((mean + 2 * standardError) * (1 + evenBatch / batchSize));
  return Number.isFinite(rate) && rate > 0 ? rate : undefined;
}

/**
 * The learning rate to begin with: a tenth of the first step's best. Steps stop lowering the loss when s² is down to lr h / 2 of s² + n²,
 * and s² shrinks with the loss: the best first step's rate would stop at once.
 */
export function suggestedRate(best: number | undefined): number | undefined {
  return best === undefined ? undefined : Number((best / LEEWAY).toPrecision(1));
}

/** What is to be looked at: the settings that a run of MeZO would have. */
export interface DiagnoseOptions {
  readonly lr: number;
  readonly eps?: number;
  readonly batchSize?: number;
  /** Looks at the adapter's weights instead of the model's. */
  readonly adapter?: Adapter;
  readonly noise?: Perturb;
  readonly seed?: number;
  readonly begin?: Begin;
  /** How many z are looked along; the sweep of eps takes three of them, the rounding two. */
  readonly draws?: number;
  readonly onProgress?: Progress;
}

/** What was found, as plain data. g is the projected gradient (l+ − l−) / (2 eps). */
export interface Diagnosis {
  readonly model: string;
  /** How the model's matrices are kept where not in float32. */
  readonly weights?: HalfKind;
  readonly task: string;
  readonly method: string;
  readonly settings: Required<Pick<DiagnoseOptions, "lr" | "eps" | "batchSize" | "seed">>;
  readonly trainingRows: number;
  /** Of the first batch, at the weights as they are. */
  readonly loss: number;
  readonly sweep: Sweep;
  readonly plateau?: Plateau;
  /** At the eps in question. */
  readonly rounding: RoundingError;
  /** At the suggested eps, as what follows. */
  readonly signal: Signal;
  readonly curvature: Curvature;
  /** The learning rate that lowers the loss most in one step of the suggested batch, to second order; absent where the measurements do not tell. */
  readonly bestRate?: number;
  /** By a step of the learning rate in question, with g of its usual size. */
  readonly swallowed: Swallowed;
  readonly prompt: PromptCheck;
  /** A point to start from. */
  readonly suggested: Suggested;
}

/** Batches that the signal is sought in. */
const BATCHES = 4;

const KNOWN = ["lr", "eps", "batchSize", "adapter", "noise", "seed", "begin", "draws", "onProgress"];

/**
 * Looks, without a step being taken, at what a run of MeZO with these settings would have to go by: the plateau of g over eps, what of
 * g is signal, chance and rounding, how the loss bends, what a step's rounding swallows, and whether the prompt helps; and suggests
 * settings. It takes the z and batches that the run would begin with. The weights are as before to the bit, where both sides are
 * run in one pass; elsewhere the base weights are read again. Throws a KitError for options that do not fit.
 */
export async function diagnose(model: LanguageModel, task: Task, options: DiagnoseOptions): Promise<Diagnosis> {
  const settings = settingsOf(options, task);
  const { adapter, seed, begin, onProgress } = settings;
  const prompt = await promptCheck(model, task, begin, (done) =>
    onProgress({ label: "Zero-shot", part: "dev", done, total: task.dev.length }),
  );
  const adapted = adapter?.begin(model, { seed, vocabulary: model.tokenizer.size });
  const theta = adapted?.parameters ?? model.parameters;
  try {
    const found = await measured(adapted ? adaptedModel(model, adapted) : model, theta, task, settings);
    return { ...about(model, task, settings), ...found, prompt };
  } finally {
    adapted?.dispose();
    if (!adapted && !(canPair() && settings.noise.law)) restoreUnnoticed(model);
  }
}

type Settings = Required<Omit<DiagnoseOptions, "adapter">> & Pick<DiagnoseOptions, "adapter">;

function settingsOf(options: DiagnoseOptions, task: Task): Settings {
  const { lr, eps = 1e-3, batchSize = 16, noise = gaussian, seed = 0, begin = "mezo", draws = 8 } = options;
  const { adapter, onProgress = () => {} } = options;
  refuseUnknown("diagnose", options, KNOWN);
  checkBegin(begin);
  refuseUnless("diagnose", [
    [lr > 0 && Number.isFinite(lr), `needs a learning rate above 0, not ${lr}: the paper's are in Tables 15 and 16`],
    [eps > 0 && Number.isFinite(eps), `needs an eps above 0, not ${eps}: the paper takes 1e-3`],
    wholeFromOne("batch size", batchSize),
    [Number.isSafeInteger(draws) && draws >= 3, `needs a whole number of draws from 3 on, not ${draws}`],
    [task.train.length > 1, `needs at least 2 training examples, and ${task.name} has ${task.train.length}`],
  ]);
  const size = Math.min(batchSize, task.train.length);
  return { lr, eps, batchSize: size, noise, seed, begin, draws, onProgress, ...(adapter && { adapter }) };
}

function about(
  { id, kept }: LanguageModel,
  task: Task,
  { lr, eps, batchSize, seed, adapter }: Settings,
): Pick<Diagnosis, "model" | "weights" | "task" | "method" | "settings" | "trainingRows"> {
  return {
    ...{ model: id, task: task.name, method: adapter ? `MeZO (${adapter.name})` : "MeZO" },
    ...(kept !== undefined && { weights: kept }),
    settings: { lr, eps, batchSize, seed },
    trainingRows: task.train.length,
  };
}

type Findings = Pick<
  Diagnosis,
  "loss" | "sweep" | "plateau" | "rounding" | "signal" | "curvature" | "bestRate" | "swallowed" | "suggested"
>;

async function measured(
  model: LanguageModel,
  theta: readonly Parameter[],
  task: Task,
  settings: Settings,
): Promise<Findings> {
  const { lr, eps, batchSize, noise, seed, begin, draws: count } = settings;
  const draws: Draw[] = Array.from({ length: count }, (_, step) => ({ seed, step }));
  const objectiveOf = objectiveFor(model, task, {});
  const some = someBatches(encodeBatch(model, task.train, begin), batchSize, seed);
  const halved = some.map((whole): HalvedBatch => {
    const halves = microBatches(whole, Math.ceil(batchSize / 2), task.loss);
    return halves.map(({ batch, share }) => ({ objective: objectiveOf(batch), share, examples: batch.gold.length }));
  });
  const at = slopesOf(theta, noise, counted(settings, passesIn(halved, count)));
  const first = objectiveOf(some[0]!);

  const loss = await first.value();
  await checkFinite(model, [loss]);
  const sweep = await sweepOf(at, first, draws.slice(0, 3));
  const plateau = plateauOf(sweep);
  const rounding = await roundingErrorOf(at, first, eps, draws.slice(0, 2));
  const better = suggestedEps(eps, plateau);
  const signal = signalOf(await halfSlopes(at, halved, better, draws), halved);
  const curvature = await curvatureOf(at, first, { loss, eps: plateau?.to ?? better }, draws);
  const swallowed = await swallowedBy(theta, noise, -lr * signal.meanSize, draws[0]!);
  const size = suggestedBatch(batchSize, signal, task.train.length);
  const best = bestRate(size, signal, curvature);
  const rate = suggestedRate(best);
  const suggested = { eps: better, batchSize: size, ...(rate !== undefined && { lr: rate }) };
  const where = { loss, sweep, ...(plateau && { plateau }), rounding, signal, curvature };
  return { ...where, ...(best !== undefined && { bestRate: best }), swallowed, suggested };
}

/** The batches that a run of this seed begins with, none with an example of another. */
function someBatches(train: LabelledBatch, batchSize: number, seed: number): LabelledBatch[] {
  const count = Math.max(1, Math.min(BATCHES, Math.floor(train.examples.length / batchSize)));
  const batchAt = batches(train, batchSize, seed);
  return Array.from({ length: count }, (_, step) => batchAt(step));
}

/** How many slopes are measured. */
function passesIn(halved: readonly HalvedBatch[], draws: number): number {
  return 3 * SWEPT.length + 2 * NUDGES.length + draws * (halved.flat().length + 1);
}

function counted({ adapter, onProgress }: Settings, total: number): () => void {
  let done = 0;
  const label = adapter ? `MeZO (${adapter.name})` : "MeZO";
  return () => onProgress({ label, part: "slopes", done: ++done, total });
}
