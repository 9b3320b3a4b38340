/** The lower triangle L of a symmetric positive definite matrix [width, width], L·Lᵀ = matrix; of `matrix` only the lower triangle is read. */
export function cholesky(matrix: Float64Array, width: number): Float64Array {
  const lower = new Float64Array(matrix.length);
  for (let i = 0; i < width; i++) {
    const row = lower.subarray(i * width, i * width + i + 1);
    for (let j = 0; j <= i; j++) {
      const rest = matrix[i * width + j]! - dotOf(row, lower, j * width, j);
      row[j] = i === j ? Math.sqrt(rest) : rest / lower[j * width + j]!;
    }
  }
  return lower;
}

/** Solves L·Lᵀ·x = b in place for the vector of `width` numbers that begins at `at`. */
export function choleskySolve(lower: Float64Array, width: number, b: Float64Array, at: number): void {
  const x = b.subarray(at, at + width);
  for (let i = 0; i < width; i++) x[i] = (x[i]! - dotOf(x, lower, i * width, i)) / lower[i * width + i]!;
  for (let i = width - 1; i >= 0; i--) {
    const value = x[i]! / lower[i * width + i]!;
    x[i] = value;
    for (let j = 0; j < i; j++) x[j]! -= value * lower[i * width + j]!;
  }
}

/** Product of the first `length` numbers of a with those of b from `at`; four sums at a time, since one would wait for each addition. */
export function dotOf(a: Float64Array, b: Float64Array, at: number, length: number): number {
  let [s, t, u, v] = [0, 0, 0, 0];
  let j = 0;
  for (; j + 3 < length; j += 4) {
    s += a[j]! * b[at + j]!;
    t += a[j + 1]! * b[at + j + 1]!;
    u += a[j + 2]! * b[at + j + 2]!;
    v += a[j + 3]! * b[at + j + 3]!;
  }
  for (; j < length; j++) s += a[j]! * b[at + j]!;
  return s + t + (u + v);
}
