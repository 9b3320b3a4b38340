import { COLUMNS_AT_ONCE } from "../kernels/feedForwardTiles.ts";
import { isFormedInParts } from "../kernels/matrix.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Execution, SizedNetwork, Sizes } from "./networkSizes.ts";

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
function forward(sizes: Sizes): number {
  const { width, keys } = sizes;
  const { held } = feedForward(sizes);
  return Math.max(5 * width + 2 * keys, 4 * width + held) + (isFormedInParts(width) ? width : 0);
}

/** Elements a token that a layer's backward pass needs again. */
const saved = (sizes: Sizes): number => 6 * sizes.width + 2 * sizes.keys + feedForward(sizes).kept;

/** Elements a token that results take at once on `native`, whose kernels form weights a tile at a time. */
export const resultsOfTiles: Readonly<Record<Execution, (sizes: Sizes) => number>> = {
  forward,
  pair: (sizes) => 2 * forward(sizes),
  backward: (sizes) => sizes.layers * saved(sizes) + 2 * feedForward(sizes).all, // of the last layer the wide result and its gradient too
  checkpointed: (sizes) => (sizes.layers + 3) * sizes.width + saved(sizes) + 2 * feedForward(sizes).all,
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
