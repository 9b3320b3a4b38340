import type { Distribution, Mask, Move, NoiseKey } from "../noise/key.ts";
import { ANGLE, COSINE, LN2_HIGH, LN2_LOW, LOG, SINE, SQRT_HALF_BITS } from "../noise/plain.ts";
import {
  add,
  and,
  at,
  bits,
  cast,
  evaluate,
  type Formula,
  multiply,
  numbers,
  or,
  reshape,
  select,
  shiftLeft,
  shiftRight,
  stack,
  subtract,
  transpose,
  unary,
  variable,
  xor,
} from "./formulas.ts";
import { free, lasting, op, run, upload, type Value, within } from "./operations.ts";

/** Elements of a weight, from the first of a group of z on. */
export interface NoisePart {
  readonly key: NoiseKey;
  readonly from: number;
  readonly size: number;
}

/** Blocks of Philox that make a group of z. */
const BLOCKS = 16;

/**
 * scale · z of parts of weights, each a vector, to the bits of noise/plain.ts. Parts are made together, since each operation has a price
 * of its own, whatever its size.
 */
export function scaledNoise(parts: readonly (NoisePart & Pick<Move, "scale">)[], law: Distribution): Value[] {
  const { group, z } = LAWS[law];
  const padded = parts.map(({ size }) => Math.ceil(size / group) * group);
  return within(() => {
    const words = (): Value[] =>
      parts.map(({ key, from }, i) =>
        philoxWords(key, "noise", (BLOCKS * from) / group, (BLOCKS * padded[i]!) / group),
      );
    const made = evaluate(z, new Map([[WORDS, () => join(words())]]));
    const sizes = parts.map(({ size }, i) => [size, padded[i]! - size] as const);
    return split(made, sizes).map((values, i) => {
      const scaled = op("Mul", [values, scalar(parts[i]!.scale)]);
      const mask = parts[i]!.key.mask;
      return mask ? op("Mul", [scaled, maskOf(mask, parts[i]!)]) : scaled;
    });
  });
}

/** 1 for the elements of a part that are in a mask, and 0 for the others. */
function maskOf(mask: Mask, { from, size }: Omit<NoisePart, "key">): Value {
  const words = Int32Array.from(mask.subarray(from / 32, Math.ceil((from + size) / 32)));
  const given = (): Value => op("Bitcast", [upload(words, [words.length], "int32")], { type: { type: "uint32" } });
  return split(evaluate(MEMBERS, new Map([[MASK_WORDS, given]])), [[size, 32 * words.length - size]])[0]!;
}

/** What random bits are for: the second word of the counter. */
const USES = { noise: 0, rounding: 1 } as const;

/** Philox's output for the counters (block, use, stream, 0) of blocks from `first` on, four words each. */
export function philoxWords(
  { k0, k1, stream }: NoiseKey,
  use: keyof typeof USES,
  first: number,
  blocks: number,
): Value {
  const shape = upload(Int32Array.of(4 * blocks), [1], "int32");
  const philox = lasting("philox", () => upload(Int32Array.of(1), [], "int32"));
  const inputs = [shape, uint64(k0, k1), uint64(first, USES[use], stream, 0), philox];
  return op("StatelessRandomUniformFullIntV2", inputs, { dtype: { type: "uint32" } });
}

/** uint64 of two uint32 each, the lower one first. */
function uint64(...words: number[]): Value {
  const bytes = upload(new Uint8Array(Uint32Array.from(words).buffer), [words.length / 2, 8], "uint8");
  return op("Bitcast", [bytes], { type: { type: "uint64" } });
}

/** A single float32. */
export const scalar = (value: number): Value => upload(Float32Array.of(value), [], "float32");

function join(vectors: readonly Value[]): Value {
  if (vectors.length === 1) return vectors[0]!;
  const axis = lasting("axis 0", () => upload(Int32Array.of(0), [], "int32"));
  const joined = op("ConcatV2", [...vectors, axis], { T: { type: "uint32" }, N: vectors.length });
  for (const vector of vectors) free(vector);
  return joined;
}

/** Cuts a vector into parts, after each of which some elements are left out. */
function split(vector: Value, parts: readonly (readonly [size: number, rest: number])[]): Value[] {
  const lengths = parts.flat().filter((length) => length > 0);
  if (lengths.length === 1) return [vector];
  const axis = lasting("axis 0", () => upload(Int32Array.of(0), [], "int32"));
  const sizes = upload(Int32Array.from(lengths), [lengths.length], "int32");
  const cut = run("SplitV", [vector, sizes, axis], { num_split: lengths.length }, lengths.length);
  return parts.map(([, rest]) => {
    const part = cut.shift()!;
    if (rest > 0) cut.shift();
    return part;
  });
}

/** Philox's words of whole groups. */
const WORDS: Formula = variable("uint32");

/** Words of a mask, and its bits as numbers. */
const MASK_WORDS: Formula = variable("uint32");
const MEMBERS: Formula = reshape(
  cast(and(shiftRight(reshape(MASK_WORDS, -1, 1), bitPlaces([1, 32])), 1), "float32"),
  -1,
);

/** One normal of sqrt(-2 log u) and the cosine, and one of the sine, of an angle: as in noise/plain.ts, where the layout is told. */
function normals(): Formula {
  const pairs = transpose(reshape(WORDS, -1, 16, 2, 2), 3, 0, 2, 1); // [word of a pair, group, pair, lane]
  const r = radius(at(pairs, 0));
  const turn = add(at(pairs, 1), 1 << 29); // its two upper bits are the quadrant, the 22 below them the remainder + 2^21
  const a = multiply(subtract(cast(shiftRight(and(turn, 0x3fffffff), 8), "float32"), 2 ** 21), ANGLE);
  const a2 = multiply(a, a);
  const s = add(multiply(multiply(polynomial(SINE, a2), a2), a), a);
  const c = add(subtract(multiply(multiply(polynomial(COSINE, a2), a2), a2), multiply(a2, 0.5)), 1);
  const isOdd = cast(and(turn, 0x40000000), "bool");
  const cosine = multiply(signed(select(isOdd, s, c), add(turn, 0x40000000)), r);
  const sine = multiply(signed(select(isOdd, c, s), turn), r);
  return reshape(stack([cosine, sine], 2), -1);
}

/** sqrt(-2 log u) with u = (x's upper 23 bits + 1/2) / 2^23, which is what those stand for behind a 1, less 1 - 2^-24. */
function radius(x: Formula): Formula {
  const u = subtract(bits(or(shiftRight(x, 9), 0x3f800000), "float32"), 1 - 2 ** -24);
  const d = subtract(bits(u, "uint32"), SQRT_HALF_BITS);
  const e = subtract(cast(shiftRight(add(d, 32 << 23), 23), "float32"), 32);
  const f = subtract(bits(add(and(d, 0x7fffff), SQRT_HALF_BITS), "float32"), 1);
  const f2 = multiply(f, f);
  const p = add(multiply(multiply(polynomial(LOG, f), f), f2), multiply(e, LN2_LOW));
  const log = add(add(subtract(p, multiply(f2, 0.5)), f), multiply(e, LN2_HIGH));
  return unary("Sqrt", multiply(log, -2));
}

/** A polynomial, the coefficient of the highest power first. */
function polynomial([first, second, ...others]: readonly number[], x: Formula): Formula {
  return others.reduce((sum, c) => add(multiply(sum, x), c), add(multiply(x, first!), second!));
}

/** x with its sign turned where the uppermost bit of n is set. */
function signed(x: Formula, n: Formula): Formula {
  return bits(xor(bits(x, "uint32"), and(n, 0x80000000)), "float32");
}

/** ±1 by a bit of Philox's each: as in noise/plain.ts, where the layout is told. */
function signs(): Formula {
  const words = reshape(transpose(reshape(WORDS, -1, 16, 4), 0, 2, 1), -1, 4, 1, 16); // [group, word, 1, lane]
  const upper = and(shiftLeft(words, bitPlaces([1, 1, 32, 1])), 0x80000000);
  return reshape(bits(or(upper, 0x3f800000), "float32"), -1);
}

/** 0 to 31. */
function bitPlaces(shape: readonly number[]): Formula {
  return numbers([...Array(32).keys()], shape, "uint32");
}

/** By law the elements of a group, and z of all groups. */
const LAWS: Readonly<Record<Distribution, { readonly group: number; readonly z: Formula }>> = {
  gaussian: { group: 64, z: normals() },
  rademacher: { group: 2048, z: signs() },
};
