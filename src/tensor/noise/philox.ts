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
