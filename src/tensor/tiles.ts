import { type Distribution, type Move, noiseKey } from "./noise/key.ts";
import { moveMany, wholeStretch } from "./noise/sweep.ts";
import type { Draw } from "./parameter.ts";

/** Elements of a weight that are worked on at once: with a few arrays of that size, all in the second-level cache. A multiple of 2048. */
export const TILE = 16_384;

/** One of a sequence of moves: values · keep + scale · z. */
export interface DrawnMove {
  readonly z: Draw;
  readonly scale: number;
  readonly keep: number;
}

/** The moves of one weight, whose z its name decides. */
export function movesOf(name: string, moves: readonly DrawnMove[]): Move[] {
  return moves.map(({ z: { seed, step, index }, scale, keep }) => ({
    key: noiseKey(seed, step, name, index),
    scale,
    keep,
  }));
}

/** Takes values through a weight's moves, as if they were its elements from the `from`-th on, a multiple of 2048. */
export function moveTile(values: Float32Array, from: number, moves: readonly Move[], law: Distribution): void {
  moveMany([wholeStretch(values, moves, law, from)]);
}

/** Calls `work` for each tile of a weight's values with where it begins. */
export function eachTile(values: Float32Array, work: (tile: Float32Array, from: number) => void): void {
  for (let from = 0; from < values.length; from += TILE) work(values.subarray(from, from + TILE), from);
}
