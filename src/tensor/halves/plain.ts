import type { NoiseKey } from "../noise/key.ts";
import { philox, type Words } from "../noise/philox.ts";
import type { HalfFormat } from "./format.ts";

/** Whose random bits round elements from `from` on. */
export interface RoundingDraw {
  readonly key: NoiseKey;
  readonly from: number;
}

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);

/** Numbers of 16 bits in float32, exactly. */
export function plainWiden(bits: Uint16Array, format: HalfFormat, into: Float32Array): void {
  bits.forEach((half, i) => {
    into[i] =
      format === "bfloat16" ? floatOf(half << 16) : signed(half & 0x8000, floatOf((half & 0x7fff) << 13) * 2 ** 112);
  });
}

function floatOf(bits: number): number {
  word[0] = bits;
  return float[0]!;
}

const signed = (sign: number, magnitude: number): number => (sign ? -magnitude : magnitude);

/** float32 in 16 bits: the nearest finite number, ties to even, or with a draw one of the two neighbours. */
export function plainNarrow(values: Float32Array, format: HalfFormat, into: Uint16Array, draw?: RoundingDraw): void {
  values.forEach((value, i) => {
    into[i] = ROUND[format](value, draw && shareOf(draw.key, draw.from + i));
  });
}

/** The bits of float16's largest number, 65504, which what is larger becomes. */
const LARGEST = 0x7bff;

const ROUND: Readonly<Record<HalfFormat, (value: number, share: number | undefined) => number>> = {
  bfloat16: (value, share) => {
    float[0] = value;
    const bits = word[0]!;
    return (bits + (share ?? 0x7fff + ((bits >>> 16) & 1))) >>> 16;
  },
  float16: (value, share) => {
    float[0] = value;
    const [sign, size] = [(word[0]! >>> 31) << 15, word[0]! & 0x7fffffff];
    if (size < 0x38800000) return sign | lastPlaces(Math.abs(value) * 2 ** 24, share);
    const normal = (size - (112 << 23) + (share === undefined ? 0xfff + ((size >>> 13) & 1) : share >>> 3)) >>> 13;
    return sign | Math.min(normal, LARGEST);
  },
};

/** A count of the smallest number's last place. */
function lastPlaces(count: number, share: number | undefined): number {
  if (share !== undefined) return Math.floor(Math.fround(count + share * 2 ** -16));
  const down = Math.floor(count);
  const rest = count - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
}

const words: Words = [0, 0, 0, 0];

/** 16 random bits of an element. Layout: element 128 g + 32 k + 16 h + lane has half h of word k of block 16 g + lane, counter (block, 1, stream, 0). */
function shareOf({ k0, k1, stream }: NoiseKey, element: number): number {
  const [group, place] = [Math.floor(element / 128), element % 128];
  words[0] = (16 * group + (place % 16)) | 0;
  words[1] = 1;
  words[2] = stream | 0;
  words[3] = 0;
  philox(words, k0, k1);
  const chosen = words[place >> 5]!;
  return (place >> 4) % 2 ? chosen >>> 16 : chosen & 0xffff;
}
