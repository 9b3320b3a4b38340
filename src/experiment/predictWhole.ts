import type { Execution, Sizes } from "./networkSizes.ts";

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
