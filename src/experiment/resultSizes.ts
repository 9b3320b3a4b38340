import type { AdaptableNetwork } from "../adapters/adapter.ts";
import { loraNames } from "../adapters/lora.ts";
import { COLUMNS_AT_ONCE } from "../kernels/feedForwardTiles.ts";
import { isFormedInParts } from "../kernels/matrix.ts";
import type { Parameter } from "../tensor/parameter.ts";

/** How a batch is run through the network: forward alone, both sides at once, or with its gradient. */
export type Execution = "forward" | "pair" | "backward" | "checkpointed";

/** A network as far as its memory goes. */
export type SizedNetwork = Pick<
  AdaptableNetwork,
  "parameters" | "layers" | "embeddings" | "keyWidth" | "keyHeads" | "isSmooth"
>;

/** What decides how much a network's results take: widths in numbers a token, and what its feed-forward part is like. */
export interface Sizes {
  /** Of a layer's result, of its keys, and of the wide result of its feed-forward part. */
  readonly width: number;
  readonly keys: number;
  readonly wide: number;
  /** Heads of attention. */
  readonly heads: number;
  readonly layers: number;
  /** Whether two wide results are multiplied, as in Llama. */
  readonly isGated: boolean;
  readonly isSmooth: boolean;
  /** Whether an adapter adds to the wide result: then no operation computes the whole feed-forward part. */
  readonly isAdapted: boolean;
  /** Whether a prefix's keys and values are joined to each sequence's own. */
  readonly hasPrefix: boolean;
}

/** The sizes of a network with the weights of an adapter. */
export function readSizes(network: SizedNetwork, adapter: readonly Parameter[]): Sizes {
  const { parameters, layers, keyWidth, keyHeads, isSmooth = false } = network;
  const shapes = new Map(parameters.map(({ name, value }) => [name, value.shape]));
  const { query, parameters: own } = layers[0]!;
  const width = shapes.get(`${query}.weight`)![1]!;
  const matrices = [...shapes].filter(([name, shape]) => own.includes(name) && shape.length === 2);
  const wide = Math.max(...matrices.map(([, [out]]) => out!));
  const upwards = matrices.filter(([, [out]]) => out === wide).map(([name]) => name.replace(/\.weight$/, ""));
  return {
    ...{ width, keys: keyWidth, wide, layers: layers.length, isSmooth },
    heads: Math.round((width * keyHeads) / keyWidth),
    isGated: wide > width && upwards.length > 1,
    hasPrefix: adapter.some(({ name }) => name.startsWith("prompt_embeddings")),
    isAdapted: upwards.some((name) => adapter.some((weight) => weight.name === loraNames(name).a)),
  };
}

/** Elements a token of the feed-forward part: all that it computes, what it holds at once, and what it keeps for a backward pass. */
interface FeedForward {
  readonly all: number;
  readonly held: number;
  readonly kept: number;
}

function feedForward({ width, wide, isGated, isAdapted }: Sizes): FeedForward {
  const all = wide === width ? width : (isGated ? 2 : 1) * wide;
  // What an adapter adds to a wide result is as wide, and so is their sum: none of them is computed in tiles.
  if (isAdapted) return { all: 2 * all, held: 3 * all, kept: 2 * all };
  if (isGated) return { all, held: all, kept: all }; // with a gate both are held whole
  return { all, held: Math.min(wide, COLUMNS_AT_ONCE), kept: 0 }; // computed again, a tile at a time
}

/**
 * Elements a token that are alive at once. The attention part is freed before the feed-forward part begins. The kit's own kernels pack the
 * input of a product beside it.
 */
function forwardOfTiles(sizes: Sizes): number {
  const { width, keys } = sizes;
  const { held } = feedForward(sizes);
  return Math.max(5 * width + 2 * keys, 4 * width + held) + (isFormedInParts(width) ? width : 0);
}

/** Elements a token that a layer's backward pass needs again. */
const savedOfTiles = (sizes: Sizes): number => 6 * sizes.width + 2 * sizes.keys + feedForward(sizes).kept;

/** Elements a token that results take at once on `native`, whose kernels form weights a tile at a time. */
export const resultsOfTiles: Readonly<Record<Execution, (sizes: Sizes) => number>> = {
  forward: forwardOfTiles,
  pair: (sizes) => 2 * forwardOfTiles(sizes),
  backward: (sizes) => sizes.layers * savedOfTiles(sizes) + 2 * feedForward(sizes).all, // of the last layer the wide result and its gradient too
  checkpointed: (sizes) => (sizes.layers + 3) * sizes.width + savedOfTiles(sizes) + 2 * feedForward(sizes).all,
};

/** Elements of weights' copies there. An embedding is formed by rows and tiles, which are no larger. */
export function temporariesOfTiles({
  network: { parameters, embeddings },
  theta,
  execution,
}: {
  readonly network: SizedNetwork;
  readonly theta: readonly Parameter[];
  readonly execution: Execution;
}): number {
  const largestMatrix = (weights: readonly Parameter[]): number => {
    const matrices = weights.filter(
      ({ name, value }) => value.rank === 2 && !embeddings.includes(name) && !isFormedInParts(value.shape[1]!),
    );
    return Math.max(0, ...matrices.map(({ value }) => value.size));
  };
  const halves = parameters.filter(({ bytes }) => bytes === 2);
  const moved = execution === "pair" ? theta : [];
  return 2 * largestMatrix(moved) + largestMatrix(halves);
}

/** The widest pass: its tokens, and those of its longest sequence. */
export interface WidestPass {
  readonly tokens: number;
  readonly longest: number;
}

/** Elements that results take at once. */
type Elements = (sizes: Sizes, pass: WidestPass) => number;

/** The most elements that an operation on TensorFlow holds as scratch: of attention's scores, or of a feed-forward part's wide results. */
const SCRATCH = 16 * 2 ** 20;

/** Attention's scores, before and after their softmax. */
const scratchOfScores: Elements = ({ heads }, { tokens, longest }) => Math.min(2 * heads * longest * tokens, SCRATCH);

/** The wide results of a feed-forward part at once: two of a ReLU, five of a smooth activation, three where operations stand alone. */
function wideResults({ wide, isGated, isSmooth, isAdapted }: Sizes, { tokens }: WidestPass): number {
  const atOnce = isGated || isAdapted ? tokens : Math.min(tokens, SCRATCH / 2 / wide);
  return (isGated ? 3 : isSmooth ? 5 : 2) * wide * atOnce;
}

/** Elements a token of keys and values with a prefix's before them, and of those in the sequences' order. */
const joined = ({ keys, hasPrefix }: Sizes): number => (hasPrefix ? 4 * keys : 0);

const forward: Elements = (sizes, pass) => {
  const { width, keys, isGated } = sizes;
  const beside = isGated ? 4 * width + 3 * keys : 3 * width;
  const attention = (5 * width + 4 * keys + joined(sizes)) * pass.tokens + scratchOfScores(sizes, pass);
  return Math.max(attention, beside * pass.tokens + wideResults(sizes, pass));
};

/** Both sides' results; an operation's scratch is that of one side after the other. */
const pair: Elements = (sizes, pass) => {
  const { width, keys, isGated, isAdapted } = sizes;
  const beside = isGated ? 6.5 * width + 6 * keys : 7 * width;
  const attention = (9 * width + 6 * keys + 2 * joined(sizes)) * pass.tokens + scratchOfScores(sizes, pass);
  return Math.max(attention, beside * pass.tokens + (isGated || isAdapted ? 2 : 1) * wideResults(sizes, pass));
};

/** Elements a token that one layer's backward pass needs again. */
function saved(sizes: Sizes): number {
  const { width, keys, wide, isGated, isAdapted } = sizes;
  const own = isGated ? 3.5 * width + 4 * wide : 6 * width + (isAdapted ? 2 * wide : 0);
  return own + 2 * keys + joined(sizes);
}

/** Elements a token of the backward pass of the layer that is at work, beside what it needs again: of attention, or of the feed-forward part. */
function atWork(sizes: Sizes, { longest }: WidestPass): number {
  const { width, wide, heads, isGated, isSmooth } = sizes;
  if (isGated) return Math.max(9 * heads * longest - saved(sizes), 3 * width + 1.3 * wide);
  return Math.max(4 * width + 9 * heads * longest, (isSmooth ? 13 : 6.5) * wide - 3 * width);
}

const backward: Elements = (sizes, pass) => (sizes.layers * saved(sizes) + atWork(sizes, pass)) * pass.tokens;

const checkpointed: Elements = (sizes, pass) =>
  (sizes.layers * sizes.width + 2 * saved(sizes) + atWork(sizes, pass)) * pass.tokens;

/**
 * Elements that results take at once on backends that form the weights of an operation whole, as counted on TensorFlow's; other backends'
 * operations hold about as much.
 */
export const resultsOfWhole: Readonly<Record<Execution, Elements>> = { forward, pair, backward, checkpointed };
