import type { Factors } from "../noise/key.ts";
import { callLibrary, libraryThreads, processorLevel } from "./library.ts";

const ADD_OUTER =
  "int mezo_add_outer(float *, const float *, const float *, int64_t, int64_t, int64_t, int64_t, float, int)";

/** Elements below which waking another thread costs more than it saves. */
const WORTH_THREADS = 1 << 16;

/**
 * theta [rows, columns] = keep · theta + left[0]ᵀ right[0] + left[1]ᵀ right[1] + … in place, in that order, each product and sum rounded to
 * float32: the same bits with the library and without. Throws where a size does not fit.
 */
export function addOuter(
  theta: Float32Array,
  [rows, columns]: readonly [number, number],
  { left, right, rank }: Factors,
  keep: number,
): void {
  const [m, n] = [rank * rows, rank * columns];
  if (theta.length !== rows * columns || left.length !== m || right.length !== n)
    throw new Error(`addOuter: ${theta.length}, ${left.length} and ${right.length} elements for [${rows}, ${columns}]`);
  const threads = theta.length < WORTH_THREADS ? 1 : libraryThreads();
  if (processorLevel() === "none") addPlainly(theta, [rows, columns], { left, right, rank }, keep);
  else callLibrary(ADD_OUTER, theta, left, right, rows, columns, rows, rank, keep, threads);
}

function addPlainly(
  theta: Float32Array,
  [rows, columns]: readonly [number, number],
  { left, right, rank }: Factors,
  keep: number,
): void {
  const kept = Math.fround(keep);
  for (let row = 0, at = 0; row < rows; row++)
    for (let column = 0; column < columns; column++, at++) {
      let value = Math.fround(theta[at]! * kept);
      for (let k = 0; k < rank; k++)
        value = Math.fround(value + Math.fround(right[k * columns + column]! * left[k * rows + row]!));
      theta[at] = value;
    }
}
