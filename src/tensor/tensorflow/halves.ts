import type { NoiseKey } from "../noise/key.ts";
import type { HalfFormat } from "../source.ts";
import {
  add,
  and,
  bits,
  cast,
  evaluate,
  type Formula,
  less,
  maximum,
  minimum,
  multiply,
  numbers,
  or,
  reshape,
  select,
  shiftLeft,
  shiftRight,
  subtract,
  transpose,
  unary,
  variable,
} from "./formulas.ts";
import { philoxWords } from "./noise.ts";
import { op, upload, type Value, within } from "./operations.ts";

/** Whose random bits round a vector, and which element of its weight the vector's first is, a multiple of 128. */
export interface RoundingDraw {
  readonly key: NoiseKey;
  readonly from: number;
}

/** The values in float32, exactly; the very same value where they are. */
export function widen(x: Value): Value {
  return x.dtype === "float32" ? x : op("Cast", [x], { DstT: { type: "float32" } });
}

/** A vector of float32 in 16 bits, to the bits of halves.ts: the nearest finite numbers, ties to even, or drawn. */
export function narrow(x: Value, format: HalfFormat, draw?: RoundingDraw): Value {
  const given = new Map([[VALUES, () => x]]);
  return draw
    ? evaluate(
        DRAWN[format],
        given.set(SHARES, () => drawShares(draw, x.shape[0]!)),
      )
    : evaluate(NEAREST[format], given);
}

/** 16 random bits of each element, as halves.ts lays them out. */
function drawShares({ key, from }: RoundingDraw, size: number): Value {
  const groups = Math.ceil(size / GROUP);
  const words = (): Value => philoxWords(key, "rounding", (16 * from) / GROUP, 16 * groups);
  const shares = evaluate(HALVES_OF_WORDS, new Map([[WORDS, words]]));
  if (size === groups * GROUP) return shares;
  return within(() => {
    const [begin, end, step] = [0, size, 1].map((place) => upload(Int32Array.of(place), [1], "int32"));
    return op("StridedSlice", [shares, begin!, end!, step!]);
  });
}

/** Elements that 16 blocks of random bits round. */
const GROUP = 128;

const [WORDS, VALUES, SHARES] = [variable("uint32"), variable("float32", true), variable("uint32")];

/** Element 32 k + 16 h + lane of a group has half h of word k of the lane's block. */
const HALVES_OF_WORDS: Formula = (() => {
  const words = reshape(transpose(reshape(WORDS, -1, 16, 4), 0, 2, 1), -1, 4, 1, 16);
  return reshape(and(shiftRight(words, numbers([0, 16], [1, 1, 2, 1], "uint32")), 0xffff), -1);
})();

const LARGEST = 65504;

const NEAREST: Readonly<Record<HalfFormat, Formula>> = {
  bfloat16: cast(VALUES, "bfloat16"),
  float16: cast(maximum(minimum(VALUES, LARGEST), -LARGEST), "float16"),
};

const toHalf = (x: Formula, format: HalfFormat): Formula => bits(cast(x, "uint16"), format);

/** One of the two neighbours, by random bits. */
const DRAWN: Readonly<Record<HalfFormat, Formula>> = {
  bfloat16: toHalf(shiftRight(add(bits(VALUES, "uint32"), SHARES), 16), "bfloat16"),
  float16: toHalf(drawFloat16(), "float16"),
};

/** The bits of float16 from the bits of float32; below 2^-14 a count of the last place. */
function drawFloat16(): Formula {
  const sign = shiftLeft(shiftRight(bits(VALUES, "uint32"), 31), 15);
  const size = minimum(unary("Abs", VALUES), LARGEST);
  const normal = shiftRight(add(subtract(bits(size, "uint32"), 112 << 23), shiftRight(SHARES, 3)), 13);
  const places = add(multiply(size, 2 ** 24), multiply(cast(SHARES, "float32"), 2 ** -16));
  const small = cast(unary("Floor", places), "uint32");
  return or(select(less(size, 2 ** -14), small, normal), sign);
}
