import type { Both } from "../../../src/tensor/pair.ts";

/** x Wᵀ in float64, and for each element the norm of its row of x times that of its row of W. */
export function exactProduct(
  x: Float32Array,
  w: Float32Array,
  columns: number,
): { y: Float64Array; norms: Float64Array } {
  const [m, n] = [x.length / columns, w.length / columns];
  const dot = (a: Float32Array, i: number, b: Float32Array, j: number): number => {
    let sum = 0;
    for (let k = 0; k < columns; k++) sum += a[i * columns + k]! * b[j * columns + k]!;
    return sum;
  };
  const norm = (a: Float32Array, rows: number) => Array.from({ length: rows }, (_, i) => Math.sqrt(dot(a, i, a, i)));
  const [xNorms, wNorms] = [norm(x, m), norm(w, n)];
  const each = (value: (i: number, j: number) => number) =>
    Float64Array.from({ length: m * n }, (_, at) => value(Math.floor(at / n), at % n));
  return { y: each((i, j) => dot(x, i, w, j)), norms: each((i, j) => xNorms[i]! * wNorms[j]!) };
}

/** The largest error, as a share of the norms. */
export const errorOf = (found: ArrayLike<number>, y: ArrayLike<number>, norms: ArrayLike<number>): number =>
  Math.max(
    ...Array.from(found, (v, i) => (Math.abs(v - y[i]!) < Infinity ? Math.abs(v - y[i]!) / norms[i]! : Infinity)),
  );

const rms = (values: readonly number[]): number => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);

/** The error of the difference of the sides, as a share of that difference. */
export function differenceError(found: Both<ArrayLike<number>>, wanted: Both<ArrayLike<number>>): number {
  const difference = ({ plus, minus }: Both<ArrayLike<number>>) => Array.from(plus, (v, i) => v - minus[i]!);
  const exact = difference(wanted);
  return rms(difference(found).map((v, i) => v - exact[i]!)) / rms(exact);
}

/** A matrix of rows of `columns` elements, transposed. */
export const turned = (values: Float32Array, columns: number): Float32Array => {
  const rows = values.length / columns;
  return values.map((_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!);
};
