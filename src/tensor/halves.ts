import { type NoiseKey, philox, type Words } from "./noise/key.ts";
import { ownMemoryModule } from "./noise/wasm.generated.ts";
import { PAGE, PIECE, wasm } from "./noise/webassembly.ts";
import type { HalfFormat, Halves } from "./source.ts";

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
      format === "bfloat16"
        ? readFloat(half << 16)
        : signed(half & 0x8000, readFloat((half & 0x7fff) << 13) * 2 ** 112);
  });
}

function readFloat(bits: number): number {
  word[0] = bits;
  return float[0]!;
}

const signed = (sign: number, magnitude: number): number => (sign ? -magnitude : magnitude);

/** float32 in 16 bits: the nearest finite number, ties to even, or with a draw one of the two neighbours. */
export function plainNarrow(values: Float32Array, format: HalfFormat, into: Uint16Array, draw?: RoundingDraw): void {
  values.forEach((value, i) => {
    into[i] = ROUND[format](value, draw && drawShare(draw.key, draw.from + i));
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
function drawShare({ k0, k1, stream }: NoiseKey, element: number): number {
  const [group, place] = [Math.floor(element / 128), element % 128];
  words[0] = (16 * group + (place % 16)) | 0;
  words[1] = 1;
  words[2] = stream | 0;
  words[3] = 0;
  philox(words, k0, k1);
  const chosen = words[place >> 5]!;
  return (place >> 4) % 2 ? chosen >>> 16 : chosen & 0xffff;
}

/** Both directions, with the bits of `plainWiden` and `plainNarrow`. */
export interface HalvesModule {
  readonly widen: typeof plainWiden;
  readonly narrow: typeof plainNarrow;
}

/** The formats by the numbers that noise.c has for them. */
const FORMATS: Readonly<Record<HalfFormat, number>> = { bfloat16: 0, float16: 1 };

/** Both directions in WebAssembly SIMD; undefined where SIMD or WebAssembly is missing. */
export function halvesModule(): HalvesModule | undefined {
  try {
    const { Module, Instance, Memory } = wasm()!;
    const memory = new Memory({ initial: Math.ceil((6 * PIECE) / PAGE) });
    const { exports } = new Instance(new Module(Buffer.from(ownMemoryModule, "base64")), { env: { memory } });
    const [floats, halves] = [
      new Float32Array(memory.buffer, 0, PIECE),
      new Uint16Array(memory.buffer, 4 * PIECE, PIECE),
    ];
    return {
      widen: (bits, format, into) => {
        for (let at = 0; at < bits.length; at += PIECE) {
          const part = into.subarray(at, at + PIECE);
          halves.set(bits.subarray(at, at + PIECE));
          exports.widen(0, part.length, 4 * PIECE, FORMATS[format]);
          part.set(floats.subarray(0, part.length));
        }
      },
      narrow: (values, format, into, draw) => {
        for (let at = 0; at < values.length; at += PIECE) {
          const part = into.subarray(at, at + PIECE);
          floats.set(values.subarray(at, at + PIECE));
          const key = draw && ([draw.key.k0, draw.key.k1, draw.key.stream, (draw.from + at) / 8] as const);
          if (key) exports.narrowStochastic(0, part.length, 4 * PIECE, FORMATS[format], ...key);
          else exports.narrow(0, part.length, 4 * PIECE, FORMATS[format]);
          part.set(halves.subarray(0, part.length));
        }
      },
    };
  } catch {
    return undefined;
  }
}

let module: HalvesModule | undefined;

/** Writes the values from element `from` on, exactly, as many as `into` has. */
export function widen({ bits, format }: Halves, from: number, into: Float32Array): void {
  module ??= halvesModule() ?? { widen: plainWiden, narrow: plainNarrow };
  module.widen(bits.subarray(from, from + into.length), format, into);
}

/**
 * Rounds values into the elements from `from` on, a multiple of 128. The random bits of stochastic rounding are made from the key of
 * the z that was added, and are independent of it; without a key values are rounded to the nearest, ties to even.
 */
export function narrow(values: Float32Array, { bits, format, rounding }: Halves, from: number, key?: NoiseKey): void {
  module ??= halvesModule() ?? { widen: plainWiden, narrow: plainNarrow };
  const draw = key && rounding === "stochastic" ? { key, from } : undefined;
  module.narrow(values, format, bits.subarray(from, from + values.length), draw);
}

/** All values, in float32. */
export function widenAll(halves: Halves): Float32Array {
  const values = new Float32Array(halves.bits.length);
  widen(halves, 0, values);
  return values;
}
