import { countValues, type Source } from "../source.ts";
import type { Distribution, Move } from "./key.ts";

/** Elements `from` up to `to` of an array, and what becomes of them. */
export interface Stretch {
  readonly theta: Source;
  /** A multiple of 2048, so that whole groups of z fit, or where there are sides any element. */
  readonly from: number;
  readonly to: number;
  /** Which element of its weight theta's first is, a multiple of 2048. */
  readonly offset: number;
  /** One after the other; one alone, whose keep is 1, where there are sides. */
  readonly moves: readonly Move[];
  readonly law: Distribution;
  /** Where theta + scale · z and theta - scale · z of these elements go, theta staying as it is; without it they are changed in place. */
  readonly sides?: { readonly plus: Float32Array; readonly minus: Float32Array };
}

/** An array as a whole, or a part of a weight that begins at its `offset`-th element, and what becomes of it. */
export function wholeStretch(theta: Source, moves: readonly Move[], law: Distribution, offset = 0): Stretch {
  return { theta, from: 0, to: countValues(theta), offset, moves, law };
}

/** Elements that one group of z covers, whatever its law. */
export const GROUP = 2048;

/** The element at which the group of z begins that a stretch begins in. */
export function groupStart({ from }: Stretch): number {
  return from - (from % GROUP);
}
