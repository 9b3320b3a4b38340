import koffi from "koffi";
import { give, take } from "../native/pool.ts";
import type { Distribution, Factors, NoiseKey } from "../noise/key.ts";
import { PRODUCTS, type Products } from "../products.ts";
import { countValues, isHalves, type Source } from "../source.ts";
import { ACTIVATIONS, type Activation } from "./activations.ts";
import { callLibrary, libraryThreads, processorLevel } from "./library.ts";

/** Rows of a weight [rows, columns]: of `source`, all of a tensor, each `stride` elements after the one before, beginning at element `first`. */
export interface Matrix {
  readonly source: Source;
  readonly first: number;
  readonly rows: number;
  readonly columns: number;
  readonly stride: number;
  /** The two sides W + eps z and W − eps z, one side alone being the first; absent where the weight stays as it is. */
  readonly noise?: { readonly key: NoiseKey; readonly law: Distribution; readonly eps: number };
  /** The two sides W + eps leftᵀ right and W − eps leftᵀ right, of the tensor whose rows these are; W is multiplied as it is. */
  readonly lowRank?: Factors & { readonly eps: number };
}

/** What is multiplied by W [rows, columns] and where it goes: x [m, columns], bias [rows], residual and y [m, rows]. residual may be y itself. */
export interface Operands {
  readonly x: Float32Array;
  readonly bias?: Float32Array;
  readonly residual?: Float32Array;
  readonly y: Float32Array;
}

/** Columns that the library forms at a time: z comes in groups of as many elements. */
const GROUP = 64;

/** Products below which waking another thread costs more than it saves. */
const WORTH_THREADS = 1 << 19;

const FORMATS = ["float32", "bfloat16", "float16"];
const LAWS = ["gaussian", "rademacher"];
const SIDES = { one: 0, still: 1, moved: 2, oneMoved: 3 } as const;
/** y = x Wᵀ, x W and xᵀ W. */
const ORDERS = { forward: 0, input: 1, weight: 2 } as const;

/** Whether the library can multiply by these rows: it is here, and columns, first and stride are multiples of 64. */
export function fits({ first, columns, stride }: Matrix): boolean {
  return processorLevel() !== "none" && [first, columns, stride].every((size) => size % GROUP === 0);
}

/**
 * y = x Wᵀ + bias + residual, then the activation, for m rows of x, at W + eps z where the weight has noise. Each product is rounded as `products` says; one side alone has no
 * difference, so that "difference" is float32's accuracy. Throws where a size does not fit.
 */
export function multiply(
  products: Products,
  m: number,
  matrix: Matrix,
  operands: Operands,
  activation?: Activation,
): void {
  checkSizes(m, matrix.rows, matrix.columns, operands);
  const sides = matrix.noise ? "oneMoved" : "one";
  const task = { products, sides, order: "forward", m, n: matrix.rows, k: matrix.columns, activation } as const;
  run(task, matrix, operands);
}

/** The same for both sides of theta at once, each with its x, and W ± eps z where the weight has noise. */
export function multiplyBoth(
  products: Products,
  m: number,
  matrix: Matrix,
  { plus, minus }: { readonly plus: Operands; readonly minus: Operands },
  activation?: Activation,
): void {
  for (const side of [plus, minus]) checkSizes(m, matrix.rows, matrix.columns, side);
  const sides = matrix.noise ? "moved" : "still";
  const task = { products, sides, order: "forward", m, n: matrix.rows, k: matrix.columns, activation } as const;
  run(task, matrix, plus, minus);
}

/** Backpropagation to the input: dx [m, columns] = dy W, for m rows of dy [m, rows]. Rounding and errors as in `multiply`. */
export function inputGradient(
  products: Products,
  m: number,
  matrix: Matrix,
  { dy, dx }: { readonly dy: Float32Array; readonly dx: Float32Array },
): void {
  checkSizes(m, matrix.columns, matrix.rows, { x: dy, y: dx });
  const task = { products, sides: "one", order: "input", m, n: matrix.columns, k: matrix.rows } as const;
  run(task, matrix, { x: dy, y: dx });
}

/** Backpropagation to a weight [rows, columns]: dWeight = dyᵀ x, for m rows of dy and x; columns is a multiple of 64. */
export function weightGradient(
  products: Products,
  m: number,
  [rows, columns]: readonly [number, number],
  { dy, x, dWeight }: { readonly dy: Float32Array; readonly x: Float32Array; readonly dWeight: Float32Array },
): void {
  checkSizes(rows, columns, m, { x: dy, y: dWeight });
  check("x", x, m * columns);
  const task = { products, sides: "one", order: "weight", m: rows, n: columns, k: m } as const;
  run(task, { source: x, first: 0, rows: m, columns, stride: columns }, { x: dy, y: dWeight });
}

/** y [m, n] of sums of k products. */
interface Task {
  readonly products: Products;
  readonly sides: keyof typeof SIDES;
  readonly order: keyof typeof ORDERS;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly activation?: Activation | undefined;
}

/** api.h's product_shape. */
function shapeOf({ products, sides, order, m, n, k, activation }: Task, matrix: Matrix): BigInt64Array {
  const { source, first, stride, noise } = matrix;
  const format = FORMATS.indexOf(isHalves(source) ? source.format : "float32");
  const { k0, k1, stream, mask }: NoiseKey = noise?.key ?? { k0: 0, k1: 0, stream: 0 };
  const threads = m * n * k < WORTH_THREADS ? 1 : libraryThreads();
  return BigInt64Array.from(
    [
      ...[PRODUCTS.indexOf(products), SIDES[sides], ORDERS[order], m, n, k, format, countValues(source), first, stride],
      ...[k0, k1, stream, mask ? koffi.address(mask) : 0, LAWS.indexOf(noise?.law ?? "gaussian")],
      ...[ACTIVATIONS.indexOf(activation ?? "none"), threads, matrix.lowRank?.rank ?? 0],
    ].map(BigInt),
  );
}

const PRODUCT = `int mezo_product(int64_t *, float, void *, ${"float *, ".repeat(11)} void *, int64_t)`;

function run(task: Task, matrix: Matrix, plus: Operands, minus?: Operands): void {
  const shape = shapeOf(task, matrix);
  const bytes = new BigInt64Array(1);
  callLibrary("int mezo_product_scratch(int64_t *, int64_t *)", shape, bytes);
  const scratch = take(Number(bytes[0]) / 4);
  const { source, noise } = matrix;
  const arrays = (["x", "bias", "residual", "y"] as const).flatMap((name) => [plus[name], minus?.[name]]);
  const [left, ...thin] = thinFactors(task, matrix, minus ? [plus.x, minus.x] : [plus.x]);
  try {
    callLibrary(
      PRODUCT,
      ...[shape, noise?.eps ?? 0, isHalves(source) ? source.bits : source],
      ...[...arrays, thin[0], thin[1], left].map((array) => array ?? null),
      ...[scratch, scratch.byteLength],
    );
  } finally {
    give(scratch);
  }
}

/** Of a weight plus and minus one of low rank the left factor [rank, n], and what each side's x [m, k] and the right factor make, [rank, m]. */
function thinFactors({ m, n, k }: Task, matrix: Matrix, xs: readonly Float32Array[]): Float32Array[] {
  const { lowRank, first, stride } = matrix;
  if (!lowRank) return [];
  const { left, right, rank, eps } = lowRank;
  const v = cut(right, rank, first % stride, k);
  const task = { products: "float32", sides: "one", order: "forward", m: rank, n: m, k } as const;
  const thin = xs.map((x, side) => {
    const y = new Float32Array(rank * m);
    const way = side === 0 ? eps : -eps;
    run(task, { source: x, first: 0, rows: m, columns: k, stride: k }, { x: v.map((each) => way * each), y });
    return y;
  });
  return [cut(left, rank, Math.floor(first / stride), n), ...thin];
}

/** So many columns from `from` on of rows that are all of an array. */
function cut(array: Float32Array, rows: number, from: number, columns: number): Float32Array {
  const stride = array.length / rows;
  const part = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++)
    part.set(array.subarray(row * stride + from, row * stride + from + columns), row * columns);
  return part;
}

function checkSizes(m: number, n: number, k: number, { x, bias, residual, y }: Operands): void {
  check("x", x, m * k);
  check("bias", bias, n);
  check("residual", residual, m * n);
  check("y", y, m * n);
}

function check(name: string, values: Float32Array | undefined, size: number): void {
  if (values && values.length !== size)
    throw new Error(`A product's ${name} has ${values.length} elements in place of ${size}.`);
}
