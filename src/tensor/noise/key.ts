import { KitError } from "../../error.ts";
import { philox, type Words } from "./philox.ts";

/** What z is drawn from: gaussian (N(0, 1), Algorithm 1) or rademacher (+1 and -1 with equal chances). */
export type Distribution = "gaussian" | "rademacher";

/** The three uint32 that choose one tensor's z: a key of Philox and a word of its counter. */
export interface NoiseKey {
  readonly k0: number;
  readonly k1: number;
  readonly stream: number;
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
