import { findSource } from "../tensor/native/backend.ts";
import type { View } from "../tensor/native/session.ts";
import { oneSidedProducts, twoSidedProducts } from "../tensor/products.ts";
import { isHalves } from "../tensor/source.ts";
import { fits, type Matrix, multiply, multiplyBoth } from "../tensor/x86/products.ts";
import type { Activation } from "./elementwise.ts";
import type { FoundWeight } from "./sides.ts";

/** A product of fewer rows is as fast as its weight is read, which ONNX Runtime does without packing it. */
const LEAST_ROWS = 4;

/**
 * A weight [rows, columns], moved where it is in theta, as the kit's own kernels multiply it by `count` rows of x; undefined where ONNX
 * Runtime is to. This alone decides between the two.
 */
export function findMatrix({ tensor, inTheta }: FoundWeight, count: number): Matrix | undefined {
  const [rows, columns] = tensor.shape as [number, number];
  const place = { source: findSource(tensor), first: 0, rows, columns, stride: columns };
  const { noise, lowRank } = inTheta ?? {};
  const matrix = { ...place, ...(noise && { noise }), ...(lowRank && { lowRank }) };
  const isRead = !inTheta && !isHalves(matrix.source) && count < LEAST_ROWS;
  return fits(matrix) && !isRead ? matrix : undefined;
}

/** Whether a weight with rows of so many columns is multiplied as it is kept: then no copy of it is formed whole. */
export function isFormedInParts(columns: number): boolean {
  return fits({ source: new Float32Array(0), first: 0, rows: 1, columns, stride: columns });
}

/** Rows `from` up to `to` of a matrix. */
export const takeRows = (matrix: Matrix, from: number, to: number): Matrix => ({
  ...matrix,
  first: matrix.first + from * matrix.stride,
  rows: to - from,
});

/** Columns `from` up to `to` of a matrix; both are multiples of 64. */
export const takeColumns = (matrix: Matrix, from: number, to: number): Matrix => ({
  ...matrix,
  first: matrix.first + from,
  columns: to - from,
});

/** What one side of a product reads, and where its result goes: x [m, columns]; bias [rows]; residual and y [m, rows], which may be one. */
export interface ProductSide {
  readonly x: View;
  readonly bias?: View | undefined;
  readonly residual?: View | undefined;
  readonly y: View;
}

/** y = x Wᵀ + bias, then the activation or + residual, at theta, of one side or of both, with the products that are in use. */
export function multiplySides(matrix: Matrix, sides: readonly ProductSide[], activation?: Activation): void {
  const [plus, minus] = sides.map(({ x, bias, residual, y }) => ({
    ...{ x: floats(x), y: floats(y) },
    ...(bias && { bias: floats(bias) }),
    ...(residual && { residual: floats(residual) }),
  }));
  const rows = sides[0]!.x.shape[0]!;
  if (minus) multiplyBoth(twoSidedProducts(), rows, matrix, { plus: plus!, minus }, activation);
  else multiply(oneSidedProducts(), rows, matrix, plus!, activation);
}

const floats = ({ values }: View): Float32Array => values as Float32Array;
