import { KitError } from "../../error.ts";
import { countValues, type Source } from "../source.ts";

const { imul } = Math;
const MUL0 = 0xd2511f53;
const MUL1 = 0xcd9e8d57;
const BUMP0 = 0x9e3779b9;
const BUMP1 = 0xbb67ae85;

/** Four 32-bit words as int32: a counter of Philox, or its output. */
export type Words = [number, number, number, number];

/** Turns the counter `words` into Philox4x32-10's output, in place (Salmon et al. 2011), under the key of two 32-bit words. */
export function philox(words: Words, k0: number, k1: number): void {
  let [c0, c1, c2, c3] = words;
  for (let round = 0; round < 10; round++) {
    const high0 = mulHigh(c0, MUL0);
    const high1 = mulHigh(c2, MUL1);
    const low0 = imul(c0, MUL0);
    const low1 = imul(c2, MUL1);
    c0 = high1 ^ c1 ^ (k0 + imul(round, BUMP0));
    c1 = low1;
    c2 = high0 ^ c3 ^ (k1 + imul(round, BUMP1));
    c3 = low0;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

/** The upper 32 bits of the product of two uint32, in 16-bit digits because a double holds 53 bits only. */
function mulHigh(a: number, b: number): number {
  const low = a & 0xffff;
  const high = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const carry = (imul(high, bLow) >>> 0) + (imul(low, bLow) >>> 16);
  const middle = (imul(low, bHigh) >>> 0) + (carry & 0xffff);
  return (imul(high, bHigh) + (carry >>> 16) + (middle >>> 16)) | 0;
}

/** What z is drawn from: gaussian (N(0, 1), Algorithm 1) or rademacher (+1 and -1 with equal chances). */
export type Distribution = "gaussian" | "rademacher";

/**
 * Which elements of a weight z is for: of element i bit i % 32 of word i / 32, up to a multiple of 2048 elements. z is 0 at the others.
 */
export type Mask = Uint32Array;

/** The three uint32 that choose one tensor's z: a key of Philox and a word of its counter. With a mask z is 0 outside of it. */
export interface NoiseKey {
  readonly k0: number;
  readonly k1: number;
  readonly stream: number;
  readonly mask?: Mask;
}

/** A matrix of low rank, leftᵀ right: left [rank, rows] and right [rank, columns]. */
export interface Factors {
  readonly left: Float32Array;
  readonly right: Float32Array;
  readonly rank: number;
}

/** What becomes of a weight: theta · keep + scale · z, with the z of the key, or of the factors where there are some. */
export interface Move {
  readonly key: NoiseKey;
  readonly scale: number;
  readonly keep: number;
  readonly factors?: Factors;
}

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

/**
 * The key of one parameter's z at one step of one run. Unlike the paper, whose code draws all parameters from one generator
 * in turn, every parameter has a key of its own, so any part of z can be made alone. `index` tells apart several z of one step;
 * it is a uint32. Throws KitError where one of the numbers is no integer.
 */
export function noiseKey(seed: number, step: number, name: string, index = 0): NoiseKey {
  for (const [what, value] of Object.entries({ seed, step, index })) {
    if (!Number.isSafeInteger(value)) throw new KitError(`The noise needs an integer as ${what}, not ${value}.`);
  }
  const bytes = new TextEncoder().encode(name);
  const padded = new Uint8Array(Math.ceil(bytes.length / 16) * 16);
  padded.set(bytes);
  const text = new DataView(padded.buffer);
  const state: Words = [seed | 0, upper(seed), step | 0, upper(step)];
  // Each round is a bijection of the state: under one name, two pairs of seed and step never meet before the last word is cut off.
  philox(state, bytes.length, 0);
  for (let at = 0; at < padded.length; at += 16) {
    for (let word = 0; word < 4; word++) state[word] = state[word]! ^ text.getInt32(at + 4 * word, true);
    philox(state, bytes.length, 1);
  }
  if (index !== 0) {
    state[0] = state[0] ^ index;
    philox(state, bytes.length, 2);
  }
  return { k0: state[0] >>> 0, k1: state[1] >>> 0, stream: state[2] >>> 0 };
}

/** Writes block `block` of the key's noise into `words`: Philox of the counter (block, 0, stream, 0). */
export function blockWords({ k0, k1, stream }: NoiseKey, block: number, words: Words): void {
  words[0] = block | 0;
  words[1] = 0;
  words[2] = stream | 0;
  words[3] = 0;
  philox(words, k0, k1);
}

function upper(integer: number): number {
  return Math.floor(integer / 2 ** 32) | 0;
}
