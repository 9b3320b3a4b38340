import * as tf from "@tensorflow/tfjs-core";
import { embed } from "../kernels/embed.ts";
import { lastTokens, packBatch } from "../nn/batch.ts";
import type { Head, KeysValues, Network } from "../nn/network.ts";
import { features, featuresWithCache } from "../nn/run.ts";
import type { Both, ReadSides } from "../tensor/pair.ts";

/** Most tokens in one forward pass: bounds the activations, whatever the number of examples. */
export const TOKENS_PER_PASS = 4096;

/** Shorter than this, computing a shared beginning again costs less than keeping it. */
const LEAST_SHARED_TOKENS = 16;

/** One forward pass over some items of a batch: which tokens the network reads, and which scores of the items it gives. */
export interface Pass {
  /** The items' indices in the batch. */
  readonly items: readonly number[];
  /** Token ids, one sequence or several an item. */
  readonly sequences: readonly Int32Array[];
  /** What the sequences begin with in common, where that is worth running once. */
  readonly shared?: SharedBeginnings | undefined;
  /** The rows that are read of sequences of these lengths, packed; what lies before them counts from their ends. */
  readonly rows: (lengths: readonly number[]) => number[];
  /** Scores from the features at those rows, made of fused operations alone. Differentiable. */
  readonly scores: (features: tf.Tensor2D, head: Head) => tf.Tensor;
  /** The items' scores from the values of that tensor, in double precision: [items][scores]. */
  readonly read: (values: Float32Array) => number[][];
  /** The same as a tensor, for gradients: [items, scores], or all scores in one row. */
  readonly table: (scores: tf.Tensor) => tf.Tensor;
}

/** Sequence i begins with `beginnings[which[i]]`. Passes that name the same array of beginnings share one run of them. */
export interface SharedBeginnings {
  readonly beginnings: readonly Int32Array[];
  readonly which: readonly number[];
}

/** How many tokens all sequences begin with, leaving sequence i at least `own[i]` tokens; 0 where that is too few to keep. */
export function sharedLength(sequences: readonly Int32Array[], own: readonly number[]): number {
  const first = sequences[0]!;
  let length = Math.min(...sequences.map((ids, i) => ids.length - own[i]!));
  for (const ids of sequences) {
    let same = 0;
    while (same < length && ids[same] === first[same]) same++;
    length = same;
  }
  return length >= LEAST_SHARED_TOKENS ? length : 0;
}

/**
 * Divides items of so many tokens among passes of bounded size, sorted by length so that equals stand together: the items' indices.
 * An item alone is never divided.
 */
export function divideByTokens(lengths: readonly number[]): number[][] {
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  const parts: number[][] = [];
  let tokens = Number.POSITIVE_INFINITY;
  for (const item of order) {
    tokens += lengths[item]!;
    if (tokens > TOKENS_PER_PASS) {
      parts.push([]);
      tokens = lengths[item]!;
    }
    parts.at(-1)!.push(item);
  }
  return parts;
}

/** Results in the items' order, made for as many items at once as fit a pass. `onDone` receives how many items have theirs. */
export async function runByTokens<Result>(
  lengths: readonly number[],
  run: (items: readonly number[]) => Promise<readonly Result[]>,
  onDone: (done: number) => void = () => {},
): Promise<Result[]> {
  const results: { items: readonly number[]; of: readonly Result[] }[] = [];
  let done = 0;
  for (const items of divideByTokens(lengths)) {
    results.push({ items, of: await run(items) });
    done += items.length;
    onDone(done);
  }
  return inOrder(results);
}

function inOrder<Result>(parts: readonly { items: readonly number[]; of: readonly Result[] }[]): Result[] {
  const results: Result[] = [];
  for (const { items, of } of parts) for (const [i, item] of items.entries()) results[item] = of[i]!;
  return results;
}

/** Runs the passes: the scores of every item, in the items' order. `onDone` receives how many items have theirs. */
export async function runPasses(
  network: Network,
  passes: readonly Pass[],
  onDone: (done: number) => void = () => {},
): Promise<number[][]> {
  const values: Float32Array[] = [];
  let done = 0;
  for (const tensor of scoreTensors(network, passes)) {
    const { items } = passes[values.length]!;
    values.push((await tensor.data()) as Float32Array);
    done += items.length;
    onDone(done);
  }
  return readPasses(passes, values);
}

/**
 * Runs the passes inside `pairwise`, whose `sides` reads both sides of a tensor: every item's scores on each. All passes are run before the
 * first await.
 */
export async function runPassesOnBothSides(
  network: Network,
  passes: readonly Pass[],
  sides: ReadSides,
): Promise<Both<number[][]>> {
  const both = await runAll(network, passes, sides);
  const [plus, minus] = [both.map((values) => values.plus), both.map((values) => values.minus)];
  return { plus: readPasses(passes, plus), minus: readPasses(passes, minus) };
}

/** The same inside `beside`, whose `read` reads a tensor at its one place. */
export async function runPassesBeside(
  network: Network,
  passes: readonly Pass[],
  read: (tensor: tf.Tensor) => Promise<Float32Array>,
): Promise<number[][]> {
  return readPasses(passes, await runAll(network, passes, read));
}

/** Runs all passes before it waits for what is read of any. */
function runAll<Values>(
  network: Network,
  passes: readonly Pass[],
  read: (tensor: tf.Tensor) => Promise<Values>,
): Promise<Values[]> {
  const reads: Promise<Values>[] = [];
  for (const tensor of scoreTensors(network, passes)) reads.push(read(tensor));
  return Promise.all(reads);
}

function readPasses(passes: readonly Pass[], values: readonly Float32Array[]): number[][] {
  return inOrder(passes.map(({ items, read }, i) => ({ items, of: read(values[i]!) })));
}

/** The scores of one pass after the other, each freed when the next is asked for. */
function* scoreTensors(network: Network, passes: readonly Pass[]): Generator<tf.Tensor> {
  let beginnings: readonly Int32Array[] | undefined;
  let pasts: KeysValues[] = [];
  try {
    for (const { shared, sequences, rows, scores } of passes) {
      const own = causal(network) ? shared : undefined;
      if (own && own.beginnings !== beginnings) {
        disposeAll(pasts);
        beginnings = own.beginnings;
        pasts = runBeginnings(network, beginnings);
      }
      const tensor = tf.tidy(() => {
        if (own) return scores(featuresAfter(network, pasts, own, { sequences, rows }), network.head);
        const batch = packBatch(sequences);
        return scores(features(network, batch, rows(batch.lengths)), network.head);
      });
      try {
        yield tensor;
      } finally {
        tensor.dispose();
      }
    }
  } finally {
    disposeAll(pasts);
  }
}

/** Whether a token's keys and values depend on those before it alone. */
const causal = ({ prompts }: Network): boolean => prompts === "autoregressive";

/** The beginnings' keys and values, one KeysValues a layer. */
function runBeginnings(network: Network, beginnings: readonly Int32Array[]): KeysValues[] {
  const batch = packBatch(beginnings);
  const { features, present } = featuresWithCache(network, batch, lastTokens(batch));
  features.dispose();
  return [...present];
}

/** Features at the rows of sequences whose first keys and values are cached. */
function featuresAfter(
  network: Network,
  pasts: readonly KeysValues[],
  { beginnings, which }: SharedBeginnings,
  { sequences, rows }: Pick<Pass, "sequences" | "rows">,
): tf.Tensor2D {
  const starts = which.map((i) => beginnings[i]!.length);
  const rest = packBatch(sequences.map((ids, i) => ids.subarray(starts[i])));
  const own = pasts.map((past) => choosePast(past, which));
  return featuresWithCache(network, { ...rest, starts }, rows(rest.lengths), own).features;
}

/** The pasts of some sequences, in the order of `which`, each as often as it stands there. */
function choosePast({ keys, values, lengths }: KeysValues, which: readonly number[]): KeysValues {
  const starts = lengths.map((_, i) => lengths.slice(0, i).reduce((a, b) => a + b, 0));
  const rows = which.flatMap((i) => Array.from({ length: lengths[i]! }, (_, j) => starts[i]! + j));
  const ids = tf.tensor1d(rows, "int32");
  return { keys: embed(ids, keys), values: embed(ids, values), lengths: which.map((i) => lengths[i]!) };
}

function disposeAll(pasts: readonly KeysValues[]): void {
  tf.dispose(pasts.flatMap(({ keys, values }) => [keys, values]));
}
