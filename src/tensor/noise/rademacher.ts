import { blockWords, type NoiseKey, type Words } from "./key.ts";

const { fround } = Math;

// Layout: 2048 elements are made by 16 blocks of 128 bits. Element 2048 g + 512 k + 16 j + lane has bit 31 - j of word k of
// block 16 g + lane as its sign, so that SIMD of any width up to 16 stores whole vectors and needs one shift for the next.
const GROUP = 2048;
const LANES = 16;

const signs = new Float32Array(GROUP);
const words: Words = [0, 0, 0, 0];

/** theta[i] = theta[i] * keep + scale * z[firstElement + i] in float32, in place; z is +1 or -1, one random bit a weight. */
export function addRademacher(theta: Float32Array, scale: number, key: NoiseKey, firstElement = 0, keep = 1): void {
  const [factor, kept] = [fround(scale), fround(keep)];
  for (let at = 0; at < theta.length; ) {
    const from = (firstElement + at) % GROUP;
    const end = Math.min(theta.length, at + GROUP - from);
    fillSigns(key, (firstElement + at - from) / 128);
    for (let i = from; at < end; i++, at++) theta[at] = fround(theta[at]! * kept) + factor * signs[i]!;
  }
}

function fillSigns(key: NoiseKey, firstBlock: number): void {
  for (let lane = 0; lane < LANES; lane++) {
    blockWords(key, firstBlock + lane, words);
    for (let bit = 0; bit < 128; bit++)
      signs[LANES * bit + lane] = (words[bit >> 5]! << (bit & 31)) & 0x80000000 ? -1 : 1;
  }
}
