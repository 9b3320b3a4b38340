import { setImmediate } from "node:timers/promises";
import * as tf from "@tensorflow/tfjs-core";
import { checkOptions, KitError } from "../error.ts";
import { embed } from "../kernels/embed.ts";
import { promptRows, sharedPrompts } from "../loss/candidates.ts";
import { type Begin, checkBegin, encodeBatch, type LabelledBatch } from "../loss/encode.ts";
import { lossFromScores } from "../loss/loss.ts";
import { runByTokens } from "../loss/passes.ts";
import { markRight } from "../loss/score.ts";
import type { LanguageModel } from "../models/network.ts";
import { packBatch } from "../nn/batch.ts";
import { features } from "../nn/run.ts";
import { isFinished } from "../record/diff.ts";
import type { ProbedRows, Run, RunHeader, Score, UnfinishedRun } from "../record/run.ts";
import { computeAccuracy } from "../tasks/score.ts";
import type { Task } from "../tasks/task.ts";
import { type Parameter, rewrite } from "../tensor/parameter.ts";
import type { Progress } from "../tensor/progress.ts";
import type { SharedPrompt } from "../text/prompt.ts";
import { checkFinite } from "./checkFinite.ts";
import { findLongest, measureCost, predictBytes, resetPeak, scoringPlan } from "./cost.ts";
import { runHeader } from "./header.ts";
import { dotAt, type StopAt } from "./lbfgs.ts";
import { FOLDS, fitLogisticCV } from "./logistic.ts";

/** Fitted rows of the output matrix, one for each answer in the candidates' order; where the model has a bias, it is the last number of each. */
export interface HeadFit {
  /** Token ids. */
  readonly answers: readonly number[];
  readonly rows: readonly Float64Array[];
  /** The inverse strength of the penalty that cross-validation chose. */
  readonly C: number;
}

/** The rows as a run's header has them. */
export function recordRows({ head, parameters }: LanguageModel, { answers, rows }: HeadFit): ProbedRows {
  const nameOf = (value: unknown): string | undefined => parameters.find((one) => one.value === value)?.name;
  const bias = head.bias && nameOf(head.bias);
  const values = new Float32Array(rows.flatMap((row) => [...row]));
  return {
    weight: nameOf(head.weight)!,
    ...(bias !== undefined && { bias }),
    answers,
    rows: Buffer.from(values.buffer).toString("base64"),
  };
}

/**
 * Puts a probe's rows into the output matrix, in place; of a model whose matrix is its embedding too, they become the answers' embeddings.
 * Throws a KitError where theta is not all of the model's weights, or not of its size.
 */
export async function placeRows(
  theta: readonly Parameter[],
  { weight, bias, answers, rows }: ProbedRows,
): Promise<void> {
  const named = (name: string | undefined): Parameter | undefined => theta.find((one) => one.name === name);
  const bytes = Uint8Array.from(Buffer.from(rows, "base64"));
  const [matrix, offset] = [named(weight), named(bias)];
  const [size = 0, width = 0] = matrix?.value.shape ?? [];
  const stride = width + (bias === undefined ? 0 : 1);
  const fits = bytes.length === 4 * answers.length * stride && answers.every((id) => id < size);
  if (!matrix || (bias !== undefined && !offset) || !fits)
    throw new KitError(
      `The probe's rows of ${weight} do not fit the weights that this run tunes: tune all weights of the model that was probed, without an adapter.`,
    );
  const values = new Float32Array(bytes.buffer);
  await rewrite(matrix, (into) => {
    for (const [i, id] of answers.entries()) into.set(values.subarray(i * stride, i * stride + width), id * width);
  });
  if (offset)
    await rewrite(offset, (into) => {
      for (const [i, id] of answers.entries()) into[id] = values[i * stride + width]!;
    });
}

/** Settings of a linear probe. */
export interface ProbeOptions {
  readonly seed?: number;
  readonly begin?: Begin;
  /** Stops the fits early, as the authors do where MeZO begins from a probe (Table 19). */
  readonly earlyStop?: boolean;
  /** A finished run: it is returned unchanged where it has these very settings, and ignored where it has not. */
  readonly resume?: UnfinishedRun;
  readonly onProgress?: Progress;
}

/** The largest component of the gradient, or the number of steps, at which a fit stops, as the authors set their solver. */
const CONVERGED: StopAt = { tolerance: 1e-4, maxIterations: 5000 };
const EARLY: StopAt = { tolerance: 0.01, maxIterations: 1000 };

/**
 * Linear probing (Table 1, "LP"): fits the output matrix's rows of the answers on the training part, and scores the test part with
 * them in place. The model itself is left as it is; the run holds the rows, so that `tune` can begin from them (Table 19). Where the output matrix is the input embedding too, the
 * answers' embeddings stay as they are. The seed is only recorded: nothing here is random. Throws a KitError as
 * `probeHead` does.
 */
export async function probe(model: LanguageModel, task: Task, options: ProbeOptions = {}): Promise<Run> {
  const { seed = 0, begin = "mezo", earlyStop = false, resume, onProgress = () => {}, ...unknown } = options;
  checkOptions("probe", unknown, ["seed", "begin", "earlyStop", "resume", "onProgress"]);
  checkBegin(begin);
  const headerWith = (C: number, rows?: RunHeader["head"]): RunHeader => ({
    ...runHeader({ model, task, seed }, "LP", { begin, earlyStop, folds: FOLDS, C }),
    ...(rows && { head: rows }),
  });
  if (isFinished(resume, headerWith(resume?.header.settings.C ?? 0, resume?.header.head))) return resume;
  resetPeak();
  const started = performance.now();
  const head = await probeHead(model, task, options);
  const test = encodeBatch(model, task.test, begin);
  const seen = await computeFeatures(model, findPrompts(test, task), (done, total) =>
    onProgress({ label: "LP", part: "test", done, total }),
  );
  const passes = [encodeBatch(model, task.train, begin), test].map(({ examples }) =>
    predictBytes(scoringPlan(model, findLongest(examples, examples.length))),
  );
  const cost = measureCost(started, 0, passes);
  const header = headerWith(head.C, recordRows(model, head));
  return { header, steps: [], scores: [scoreHead(head, seen, test.gold)], cost };
}

/**
 * The rows that linear probing puts into the output matrix: multinomial logistic regression from what it sees at the answer (of a
 * prompt's last token, or at the mask), its penalty cross-validated, with an intercept where it has a bias. An answer that no
 * training example has keeps the model's row. Throws a KitError for a task whose answers are not the same single tokens in every
 * example (the paper trains the output matrix there), and where training examples have fewer than two answers.
 */
export async function probeHead(model: LanguageModel, task: Task, options: ProbeOptions = {}): Promise<HeadFit> {
  const { begin = "mezo", earlyStop = false, onProgress = () => {} } = options;
  const train = encodeBatch(model, task.train, begin);
  const prompts = findPrompts(train, task);
  const gold = train.gold.map(([first]) => first!);
  const classes = [...new Set(gold)].sort((a, b) => a - b);
  checkClasses(classes, gold.length, task);
  const seen = await computeFeatures(model, prompts, (done, total) =>
    onProgress({ label: "LP", part: "features", done, total }),
  );
  const width = seen[0]!.length;
  const rows = new Float64Array(seen.length * width);
  for (const [i, row] of seen.entries()) rows.set(row, i * width);
  const labels = gold.map((label) => classes.indexOf(label));
  const data = { rows, width, labels, classes: classes.length, intercept: model.head.bias !== undefined };
  const { x, C } = await fitLogisticCV(data, earlyStop ? EARLY : CONVERGED, (done, total) =>
    onProgress({ label: "LP", part: "fits", done, total }),
  );
  const { answers } = prompts[0]!;
  const own = await readHeadRows(model, answers);
  // Of two classes scikit-learn gives one row c of its fit ±c, of which the authors put −c/2 and c/2 into the matrix.
  const share = classes.length === 2 ? 0.5 : 1;
  const fitted = (k: number): Float64Array => x.slice(k * width, (k + 1) * width).map((v) => share * v);
  return { answers, C, rows: own.map((row, i) => (classes.includes(i) ? fitted(classes.indexOf(i)) : row)) };
}

function findPrompts({ examples }: LabelledBatch, { name }: Task): readonly SharedPrompt[] {
  const prompts = sharedPrompts(examples);
  if (prompts && prompts.length > 0) return prompts;
  throw new KitError(
    `${name} cannot be probed, since its answers are not the same single tokens in every example: train the output matrix alone instead, as the paper does there: tune with adam and the adapter headTuning().`,
  );
}

function checkClasses(classes: readonly number[], n: number, { name }: Task): void {
  if (classes.length >= 2 && n >= FOLDS) return;
  throw new KitError(
    `${name} cannot be probed, since its ${n} training examples have ${classes.length} different answers: give at least ${FOLDS} examples with two.`,
  );
}

/** What the output matrix sees at each prompt's answer, with a 1 after it where the matrix has a bias: [prompts][width]. */
async function computeFeatures(
  model: LanguageModel,
  prompts: readonly SharedPrompt[],
  onDone: (done: number, total: number) => void,
): Promise<Float64Array[]> {
  return runByTokens(
    prompts.map(({ ids }) => ids.length),
    async (items) => {
      await setImmediate(); // a notebook draws, an interrupt gets through
      const part = items.map((i) => prompts[i]!);
      const batch = packBatch(part.map(({ ids }) => ids));
      const values = await computeValues(() => features(model, batch, promptRows(part, batch.lengths)));
      await checkFinite(model, values);
      return split(values, part.length).map((row) => (model.head.bias ? Float64Array.of(...row, 1) : row));
    },
    (done) => onDone(done, prompts.length),
  );
}

/** The model's own rows of the output matrix, each with its bias after it where there is one. */
async function readHeadRows({ head }: LanguageModel, answers: readonly number[]): Promise<Float64Array[]> {
  const ids = [...answers];
  const rows = split(await computeValues(() => embed(tf.tensor1d(ids, "int32"), head.weight)), ids.length);
  const { bias } = head;
  if (!bias) return rows;
  const biases = await computeValues(() => tf.gather(bias, tf.tensor1d(ids, "int32")));
  return rows.map((row, i) => Float64Array.of(...row, biases[i]!));
}

/** The values of the tensor that `make` computes, read without blocking a GPU; all tensors made on the way are freed. */
async function computeValues(make: () => tf.Tensor): Promise<Float32Array> {
  const tensor = tf.tidy(make);
  try {
    return (await tensor.data()) as Float32Array;
  } finally {
    tensor.dispose();
  }
}

function split(values: Float32Array, count: number): Float64Array[] {
  const width = values.length / count;
  return Array.from({ length: count }, (_, i) => Float64Array.from(values.subarray(i * width, (i + 1) * width)));
}

/** Accuracy and mean cross entropy over the answers with the rows in place. */
function scoreHead({ rows }: HeadFit, seen: readonly Float64Array[], gold: LabelledBatch["gold"]): Score {
  const scores = seen.map((x) => rows.map((row) => dotAt(x, row, 0, x.length)));
  const marks = markRight(scores, gold);
  const { accuracy, standardError, n } = computeAccuracy(marks);
  const loss = lossFromScores("candidates", scores, gold);
  return { on: "test", step: 0, score: accuracy, standardError, n, loss, rows: marks };
}
