import { give, take } from "../native/pool.ts";
import type { Distribution, NoiseKey } from "../noise/key.ts";
import type { Both } from "../pair.ts";
import { PRODUCTS, type Products } from "../products.ts";
import { countValues, isHalves, type Source } from "../source.ts";
import { callLibrary, libraryThreads, processorLevel } from "./library.ts";

/** Rows of a weight [rows, columns]: of `source`, all of a tensor, each `stride` elements after the one before, beginning at element `first`. */
export interface Matrix {
  readonly source: Source;
  readonly first: number;
  readonly rows: number;
  readonly columns: number;
  readonly stride: number;
  /** The two sides W + eps z and W − eps z; absent where the weight stays as it is. */
  readonly noise?: { readonly key: NoiseKey; readonly law: Distribution; readonly eps: number };
}

/** What is multiplied by W [rows, columns] and where it goes: x [m, columns], bias [rows], residual and y [m, rows]. residual may be y itself. */
export interface Operands {
  readonly x: Float32Array;
  readonly bias?: Float32Array;
  readonly residual?: Float32Array;
  readonly y: Float32Array;
}

/** What may follow a product, element by element, in the order of api.h's `activation`. */
export const ACTIVATIONS = ["none", "relu", "gelu", "silu", "gelu_new"] as const;

/** An activation by its name (kernels/elementwise.ts). */
export type Activation = Exclude<(typeof ACTIVATIONS)[number], "none">;

/** Columns that the library forms at a time: z comes in groups of as many elements. */
const GROUP = 64;

const FORMATS = ["float32", "bfloat16", "float16"];
const LAWS = ["gaussian", "rademacher"];
const [ONE_SIDE, STILL_WEIGHT, MOVED_WEIGHT] = [0, 1, 2];

/** Whether the library can multiply by these rows: it is here, and columns, first and stride are multiples of 64. */
export function fits({ first, columns, stride }: Matrix): boolean {
  return processorLevel() !== "none" && [first, columns, stride].every((size) => size % GROUP === 0);
}

/**
 * y = x Wᵀ + bias + residual, then the activation, for m rows of x. Each product is rounded as `products` says; one side alone has no
 * difference, so that "difference" is float32's accuracy. Throws where a size does not fit.
 */
export function multiply(
  products: Products,
  m: number,
  matrix: Matrix,
  operands: Operands,
  activation?: Activation,
): void {
  run(products, ONE_SIDE, m, matrix, [operands], activation);
}

/** The same for both sides of theta at once, each with its x, and W ± eps z where the weight has noise. */
export function multiplyBoth(
  products: Products,
  m: number,
  matrix: Matrix,
  sides: Both<Operands>,
  activation?: Activation,
): void {
  run(products, matrix.noise ? MOVED_WEIGHT : STILL_WEIGHT, m, matrix, [sides.plus, sides.minus], activation);
}

const SCRATCH = "int mezo_product_scratch(int, int, int, int64_t, int64_t, int64_t, int64_t *)";
const PRODUCT = `int mezo_product(int, int, int, int64_t, int64_t, int64_t, const void *, int, int64_t, int64_t, int64_t,
  uint32_t, uint32_t, uint32_t, int, float, ${"const float *, ".repeat(6)} float *, float *, int, void *, int64_t)`;

function run(
  products: Products,
  sides: number,
  m: number,
  matrix: Matrix,
  [plus, minus]: readonly [Operands, Operands?],
  activation: Activation | undefined,
): void {
  for (const operands of minus ? [plus, minus] : [plus]) checkSizes(m, matrix, operands);
  const { source, first, rows, columns, stride, noise } = matrix;
  const shape = [PRODUCTS.indexOf(products), sides, libraryThreads(), m, rows, columns] as const;
  const bytes = new BigInt64Array(1);
  callLibrary(SCRATCH, ...shape, bytes);
  const scratch = take(Number(bytes[0]) / 4);
  const { k0, k1, stream } = noise?.key ?? { k0: 0, k1: 0, stream: 0 };
  callLibrary(
    PRODUCT,
    ...shape,
    isHalves(source) ? source.bits : source,
    FORMATS.indexOf(isHalves(source) ? source.format : "float32"),
    countValues(source),
    first,
    stride,
    ...[k0, k1, stream, LAWS.indexOf(noise?.law ?? "gaussian"), noise?.eps ?? 0],
    ...pointers(plus, minus, "x", "bias", "residual", "y"),
    ACTIVATIONS.indexOf(activation ?? "none"),
    scratch,
    scratch.byteLength,
  );
  give(scratch);
}

/** The arrays of both sides under each name in turn, null where there is none. */
function pointers(plus: Operands, minus: Operands | undefined, ...names: (keyof Operands)[]): (Float32Array | null)[] {
  return names.flatMap((name) => [plus[name] ?? null, minus?.[name] ?? null]);
}

function checkSizes(m: number, { rows, columns }: Matrix, { x, bias, residual, y }: Operands): void {
  check("x", x, m * columns);
  check("bias", bias, rows);
  check("residual", residual, m * rows);
  check("y", y, m * rows);
}

function check(name: string, values: Float32Array | undefined, size: number): void {
  if (values && values.length !== size)
    throw new Error(`A product's ${name} has ${values.length} elements in place of ${size}.`);
}
