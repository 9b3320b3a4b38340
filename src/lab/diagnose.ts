import type { Adapter } from "../adapters/adapter.ts";
import { adaptedModel } from "../adapters/adapter.ts";
import { checkFinite } from "../experiment/checkFinite.ts";
import { type Begin, batches, checkBegin, encodeBatch, type LabelledBatch } from "../loss/encode.ts";
import { microBatches, objectiveFor } from "../loss/objective.ts";
import type { LanguageModel } from "../models/network.ts";
import { restoreQuietly } from "../models/network.ts";
import type { Task } from "../tasks/task.ts";
import { levelInUse, productsInUse } from "../tensor/backend.ts";
import { type Draw, gaussian, type Parameter, type Perturb } from "../tensor/parameter.ts";
import type { FormedProducts } from "../tensor/products.ts";
import type { Progress } from "../tensor/progress.ts";
import type { HalfKind } from "../tensor/source.ts";
import type { Level } from "../tensor/x86/library.ts";
import { refuseUnknown, refuseUnless, wholeFromOne } from "../tuners/zeroth.ts";
import {
  type Curvature,
  findPlateau,
  makeSlopeAt,
  measureCurvature,
  measureSweep,
  type Plateau,
  SWEPT,
  type Sweep,
} from "./plateau.ts";
import { countSwallowed, measureRoundingError, NUDGES, type RoundingError, type Swallowed } from "./rounding.ts";
import {
  checkPrompt,
  computeSignal,
  type HalvedBatch,
  measureHalfSlopes,
  type PromptCheck,
  type Signal,
} from "./signal.ts";

/** Suggested settings. */
export interface Suggested {
  readonly eps: number;
  /** Absent where the measurements do not determine it: no signal, or no upward curvature. */
  readonly lr?: number;
  readonly batchSize: number;
}

/** The factor by which a suggested eps is inside the plateau where possible, as the few z decide the plateau's ends by chance. */
const MARGIN = 3;

/** The divisor of the first step's best rate. */
const LEEWAY = 10;

/** The given eps where it is on the plateau or there is no plateau, else the nearest well inside the plateau. */
export function suggestEps(eps: number, plateau: Plateau | undefined): number {
  if (!plateau || (eps >= plateau.from && eps <= plateau.to)) return eps;
  const [from, to] = [MARGIN * plateau.from, plateau.to / MARGIN];
  const inside = from > to ? Math.sqrt(plateau.from * plateau.to) : Math.min(Math.max(eps, from), to);
  return Number(inside.toPrecision(1));
}

/**
 * The batch size to take: the given one where the choice of a batch adds less noise to g than there is signal, else the next power of two
 * for which that holds, at most four times the given one, and at most the number of examples.
 */
export function suggestBatch(batchSize: number, { evenBatch }: Signal, examples: number): number {
  if (Number.isNaN(evenBatch) || evenBatch <= batchSize) return batchSize;
  return Math.min(2 ** Math.ceil(Math.log2(evenBatch)), 4 * batchSize, examples);
}

/**
 * The learning rate that lowers the loss most in one step, to second order: a step −lr g z changes it by −lr g g' + lr² g² h / 2, with g
 * the batch's slope along z, g' all examples' and h the curvature. In the mean over batches g g' is s² and g² is s² + n², with
 * signal s and noise n: lr = s² / ((s² + n²) h), where n² / s² is the even batch over the batch. h is its mean plus two standard errors, as
 * too small a rate costs less than too large a one. Undefined where there is no signal, or h is still below 0.
 */
export function computeBestRate(
  batchSize: number,
  { evenBatch }: Signal,
  { mean, standardError }: Curvature,
): number | undefined {
  const rate = 1 / ((mean + 2 * standardError) * (1 + evenBatch / batchSize));
  return Number.isFinite(rate) && rate > 0 ? rate : undefined;
}

/**
 * The learning rate to start with: a tenth of the first step's best. Steps stop lowering the loss when s² falls to lr h / 2 of s² + n², and
 * s² shrinks with the loss: the first step's best rate would stop at once.
 */
export function suggestRate(best: number | undefined): number | undefined {
  return best === undefined ? undefined : Number((best / LEEWAY).toPrecision(1));
}

/** What to diagnose: the settings of a run of MeZO. */
export interface DiagnoseOptions {
  readonly lr: number;
  readonly eps?: number;
  readonly batchSize?: number;
  /** Diagnoses the adapter's weights instead of the model's. */
  readonly adapter?: Adapter;
  readonly noise?: Perturb;
  readonly seed?: number;
  readonly begin?: Begin;
  /** The number of z; the sweep of eps uses three of them, the rounding two. */
  readonly draws?: number;
  readonly onProgress?: Progress;
}

/** The diagnosis as plain data. g is the projected gradient (l+ − l−) / (2 eps). */
export interface Diagnosis {
  readonly model: string;
  /** How the model's matrices are kept where not in float32. */
  readonly weights?: HalfKind;
  /** How matrix products are formed, and by which of the kit's own kernels. */
  readonly products: FormedProducts;
  readonly processor: Level;
  readonly task: string;
  readonly method: string;
  readonly settings: Required<Pick<DiagnoseOptions, "lr" | "eps" | "batchSize" | "seed">>;
  readonly trainingRows: number;
  /** Of the first batch, at the weights as they are. */
  readonly loss: number;
  readonly sweep: Sweep;
  readonly plateau?: Plateau;
  /** At the given eps. */
  readonly rounding: RoundingError;
  /** At the suggested eps, like what follows. */
  readonly signal: Signal;
  readonly curvature: Curvature;
  /** The learning rate that lowers the loss most in one step of the suggested batch, to second order; absent where the measurements do not determine it. */
  readonly bestRate?: number;
  /** By a step of the given learning rate, with g of its usual size. */
  readonly swallowed: Swallowed;
  readonly prompt: PromptCheck;
  /** Settings to start from. */
  readonly suggested: Suggested;
}

/** Batches in which the signal is measured. */
const BATCHES = 4;

const KNOWN = ["lr", "eps", "batchSize", "adapter", "noise", "seed", "begin", "draws", "onProgress"];

/**
 * Measures, without taking a step, what a run of MeZO with these settings would work with: the plateau of g over eps; how much of g is
 * signal, noise and rounding; the curvature of the loss; how many weights a step's rounding leaves unchanged; and whether the prompt helps.
 * It suggests settings from that. It uses the z and batches that the run would start with. Afterwards the weights are the same to the bit;
 * where both sides are not run in one pass, the base weights are read again. Throws a KitError for invalid options.
 */
export async function diagnose(model: LanguageModel, task: Task, options: DiagnoseOptions): Promise<Diagnosis> {
  const settings = readSettings(options, task);
  const { adapter, seed, begin, onProgress } = settings;
  const prompt = await checkPrompt(model, task, begin, (done) =>
    onProgress({ label: "Zero-shot", part: "dev", done, total: task.dev.length }),
  );
  const adapted = adapter?.begin(model, { seed, vocabulary: model.tokenizer.size });
  const theta = adapted?.parameters ?? model.parameters;
  try {
    const found = await measureAll(adapted ? adaptedModel(model, adapted) : model, theta, task, settings);
    return { ...describeSubject(model, task, settings), ...found, prompt };
  } finally {
    adapted?.dispose();
    if (!adapted && !settings.noise.law) restoreQuietly(model);
  }
}

type Settings = Required<Omit<DiagnoseOptions, "adapter">> & Pick<DiagnoseOptions, "adapter">;

function readSettings(options: DiagnoseOptions, task: Task): Settings {
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

function describeSubject(
  { id, kept }: LanguageModel,
  task: Task,
  { lr, eps, batchSize, seed, adapter }: Settings,
): Pick<Diagnosis, "model" | "weights" | "products" | "processor" | "task" | "method" | "settings" | "trainingRows"> {
  return {
    ...{ model: id, task: task.name, method: adapter ? `MeZO (${adapter.name})` : "MeZO" },
    ...(kept !== undefined && { weights: kept }),
    ...{ products: productsInUse(kept), processor: levelInUse() },
    settings: { lr, eps, batchSize, seed },
    trainingRows: task.train.length,
  };
}

type Findings = Pick<
  Diagnosis,
  "loss" | "sweep" | "plateau" | "rounding" | "signal" | "curvature" | "bestRate" | "swallowed" | "suggested"
>;

async function measureAll(
  model: LanguageModel,
  theta: readonly Parameter[],
  task: Task,
  settings: Settings,
): Promise<Findings> {
  const { lr, eps, batchSize, noise, seed, begin, draws: count } = settings;
  const draws: Draw[] = Array.from({ length: count }, (_, step) => ({ seed, step }));
  const objectiveOf = objectiveFor(model, task, {});
  const some = drawBatches(encodeBatch(model, task.train, begin), batchSize, seed);
  const halved = some.map((whole): HalvedBatch => {
    const halves = microBatches(whole, Math.ceil(batchSize / 2), task.loss);
    return halves.map(({ batch, share }) => ({ objective: objectiveOf(batch), share, examples: batch.gold.length }));
  });
  const at = makeSlopeAt(theta, noise, makeCounter(settings, countSlopes(halved, count)));
  const first = objectiveOf(some[0]!);

  const loss = await first.value();
  await checkFinite(model, [loss]);
  const sweep = await measureSweep(at, first, draws.slice(0, 3));
  const plateau = findPlateau(sweep);
  const rounding = await measureRoundingError(at, first, eps, draws.slice(0, 2));
  const better = suggestEps(eps, plateau);
  const signal = computeSignal(await measureHalfSlopes(at, halved, better, draws), halved);
  const curvature = await measureCurvature(at, first, { loss, eps: plateau?.to ?? better }, draws);
  const swallowed = await countSwallowed(theta, noise, -lr * signal.meanSize, draws[0]!);
  const size = suggestBatch(batchSize, signal, task.train.length);
  const best = computeBestRate(size, signal, curvature);
  const rate = suggestRate(best);
  const suggested = { eps: better, batchSize: size, ...(rate !== undefined && { lr: rate }) };
  const where = { loss, sweep, ...(plateau && { plateau }), rounding, signal, curvature };
  return { ...where, ...(best !== undefined && { bestRate: best }), swallowed, suggested };
}

/** The first batches of a run of this seed, without common examples. */
function drawBatches(train: LabelledBatch, batchSize: number, seed: number): LabelledBatch[] {
  const count = Math.max(1, Math.min(BATCHES, Math.floor(train.examples.length / batchSize)));
  const batchAt = batches(train, batchSize, seed);
  return Array.from({ length: count }, (_, step) => batchAt(step));
}

/** The number of slopes to measure. */
function countSlopes(halved: readonly HalvedBatch[], draws: number): number {
  return 3 * SWEPT.length + 2 * NUDGES.length + draws * (halved.flat().length + 1);
}

function makeCounter({ adapter, onProgress }: Settings, total: number): () => void {
  let done = 0;
  const label = adapter ? `MeZO (${adapter.name})` : "MeZO";
  return () => onProgress({ label, part: "slopes", done: ++done, total });
}
