import { narrow, widenAll } from "../halves.ts";
import { isHalves } from "../source.ts";
import { blockWords, type Move, type NoiseKey, type Stretch, type Words } from "./key.ts";

const { fround, sqrt } = Math;

/** Adds z to a piece, or to copies of it for its two sides, without WebAssembly. */
export function movePlainly(piece: Stretch): void {
  if (piece.sides) moveSides(piece, piece.sides);
  else moveInPlace(piece);
}

function moveInPlace({ theta, from, to, offset, moves, law }: Stretch): void {
  const part = (isHalves(theta) ? widenAll(theta) : theta).subarray(from, to);
  for (const { key, scale, keep } of moves) ADD[law](part, scale, key, offset + from, keep);
  if (isHalves(theta)) narrow(part, theta, from, moves[0]!.key);
}

function moveSides(
  { theta, from, to, offset, moves, law }: Stretch,
  { plus, minus }: NonNullable<Stretch["sides"]>,
): void {
  const [{ key, scale }] = moves as [Move];
  const values = (isHalves(theta) ? widenAll(theta) : theta).subarray(from, to);
  for (const [side, way] of [[plus, scale] as const, [minus, -scale] as const]) {
    side.set(values);
    ADD[law](side, way, key, offset + from);
  }
}

/** Whether z is for an element of the weight. */
const membership =
  ({ mask }: NoiseKey) =>
  (element: number): boolean =>
    !mask || ((mask[element >>> 5]! >>> (element & 31)) & 1) === 1;

// Layout: 64 elements are made by 16 blocks. Element 64 g + 16 k + lane is normal k of block 16 g + lane, so that SIMD of any
// width up to 16 stores whole vectors.
const NORMALS = 64;
const LANES = 16;
const words: Words = [0, 0, 0, 0];

// Every operation is rounded to float32 by itself and none is left to Math.log or Math.cos: so all engines make the same bits.
const TWO_TO_MINUS_23 = 2 ** -23;

/** 2 pi / 2^24 in float32. */
export const ANGLE: number = fround(3.7450703e-7);
/** The bits of sqrt(1/2) in float32. */
export const SQRT_HALF_BITS = 0x3f3504f3;
/** log 2 in two float32, the first of which has few bits. */
export const LN2_HIGH: number = fround(0.693359375);
export const LN2_LOW: number = fround(-2.1219444e-4);
/** The polynomials are those of Cephes' logf, sinf and cosf in float32, highest power first. */
export const LOG: readonly number[] = [
  7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
  2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
].map(fround);
export const SINE: readonly number[] = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1].map(fround);
export const COSINE: readonly number[] = [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2].map(
  fround,
);
const [S0, S1, S2] = SINE as [number, number, number];
const [C0, C1, C2] = COSINE as [number, number, number];

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);
const group = new Float32Array(NORMALS);

/** theta[i] = theta[i] * keep + scale * z[firstElement + i] in float32, in place; z is N(0, 1) by Box-Muller. */
export function addGaussian(theta: Float32Array, scale: number, key: NoiseKey, firstElement = 0, keep = 1): void {
  const [factor, kept] = [fround(scale), fround(keep)];
  const isIn = membership(key);
  for (let at = 0; at < theta.length; ) {
    const from = (firstElement + at) % NORMALS;
    const end = Math.min(theta.length, at + NORMALS - from);
    fillGroup(key, (firstElement + at - from) / 4);
    for (let i = from; at < end; i++, at++)
      theta[at] = fround(theta[at]! * kept) + (isIn(firstElement + at) ? fround(factor * group[i]!) : 0);
  }
}

function fillGroup(key: NoiseKey, firstBlock: number): void {
  for (let lane = 0; lane < LANES; lane++) {
    blockWords(key, firstBlock + lane, words);
    boxMuller(words[0], words[1], lane);
    boxMuller(words[2], words[3], lane + 2 * LANES);
  }
}

/** Makes the normals group[at] and group[at + LANES] from two words. */
function boxMuller(x: number, y: number, at: number): void {
  const r = radius(x);
  // The angle is 2 pi t / 2^24: the nearest quadrant, and a remainder a in [-pi/4, pi/4].
  const t = y >>> 8;
  const quadrant = (t + 2 ** 21) >> 22;
  const a = fround((t - (quadrant << 22)) * ANGLE);
  const a2 = fround(a * a);
  const s = sine(a, a2);
  const c = cosine(a2);
  const [cos, sin] = quadrant & 1 ? [s, c] : [c, s];
  group[at] = r * ((quadrant + 1) & 2 ? -cos : cos);
  group[at + LANES] = r * (quadrant & 2 ? -sin : sin);
}

/** sqrt(-2 log u) with u = (x's upper 23 bits + 1/2) / 2^23, as log u = e log 2 + log(1 + f), 1 + f in [sqrt(1/2), sqrt(2)). */
function radius(x: number): number {
  float[0] = ((x >>> 9) + 0.5) * TWO_TO_MINUS_23;
  const d = bits[0]! - SQRT_HALF_BITS;
  const e = d >> 23;
  bits[0] = (d & 0x7fffff) + SQRT_HALF_BITS;
  const f = fround(float[0] - 1);
  const f2 = fround(f * f);
  let p = LOG[0]!;
  for (let i = 1; i < LOG.length; i++) p = fround(fround(p * f) + LOG[i]!);
  p = fround(fround(p * f) * f2);
  p = fround(p + fround(e * LN2_LOW));
  p = fround(p - fround(0.5 * f2));
  const log = fround(fround(f + p) + fround(e * LN2_HIGH));
  return fround(sqrt(fround(-2 * log)));
}

function sine(a: number, a2: number): number {
  const s = fround(fround(fround(fround(S0 * a2) + S1) * a2) + S2);
  return fround(fround(fround(s * a2) * a) + a);
}

function cosine(a2: number): number {
  const c = fround(fround(fround(fround(C0 * a2) + C1) * a2) + C2);
  return fround(fround(fround(fround(c * a2) * a2) - fround(0.5 * a2)) + 1);
}

// Layout: 2048 elements are made by 16 blocks of 128 bits. Element 2048 g + 512 k + 16 j + lane has bit 31 - j of word k of
// block 16 g + lane as its sign, so that SIMD of any width up to 16 stores whole vectors and needs one shift for the next.
const SIGNS = 2048;

const signs = new Float32Array(SIGNS);

/** theta[i] = theta[i] * keep + scale * z[firstElement + i] in float32, in place; z is +1 or -1, one random bit a weight. */
export function addRademacher(theta: Float32Array, scale: number, key: NoiseKey, firstElement = 0, keep = 1): void {
  const [factor, kept] = [fround(scale), fround(keep)];
  const isIn = membership(key);
  for (let at = 0; at < theta.length; ) {
    const from = (firstElement + at) % SIGNS;
    const end = Math.min(theta.length, at + SIGNS - from);
    fillSigns(key, (firstElement + at - from) / 128);
    for (let i = from; at < end; i++, at++)
      theta[at] = fround(theta[at]! * kept) + (isIn(firstElement + at) ? factor * signs[i]! : 0);
  }
}

function fillSigns(key: NoiseKey, firstBlock: number): void {
  for (let lane = 0; lane < LANES; lane++) {
    blockWords(key, firstBlock + lane, words);
    for (let bit = 0; bit < 128; bit++)
      signs[LANES * bit + lane] = (words[bit >> 5]! << (bit & 31)) & 0x80000000 ? -1 : 1;
  }
}

const ADD = { gaussian: addGaussian, rademacher: addRademacher } as const;
