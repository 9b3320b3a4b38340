/** Rows of numbers in double precision, one after the other. */
export type Doubles = Float64Array;

/** y = x Wᵀ + bias: x [rows, columns], weight [outputs, columns], y [rows, outputs]. */
export function linear(x: Doubles, columns: number, weight: Doubles, bias?: Doubles): Doubles {
  const [rows, outputs] = [x.length / columns, weight.length / columns];
  const y = new Float64Array(rows * outputs);
  let row = 0;
  for (; row + 4 <= rows; row += 4) fourRows(x, row, columns, weight, y);
  for (; row < rows; row++)
    for (let out = 0; out < outputs; out++)
      y[row * outputs + out] = dot(x, row * columns, weight, out * columns, columns);
  if (bias) for (let i = 0; i < y.length; i++) y[i]! += bias[i % outputs]!;
  return y;
}

/** Four rows of a product at once, so that each weight is read once for them. */
function fourRows(x: Doubles, row: number, columns: number, weight: Doubles, y: Doubles): void {
  const outputs = weight.length / columns;
  const [a, b, c, d] = [0, 1, 2, 3].map((i) => (row + i) * columns) as [number, number, number, number];
  for (let out = 0; out < outputs; out++) {
    const at = out * columns;
    let [s, t, u, v] = [0, 0, 0, 0];
    for (let k = 0; k < columns; k++) {
      const w = weight[at + k]!;
      s += x[a + k]! * w;
      t += x[b + k]! * w;
      u += x[c + k]! * w;
      v += x[d + k]! * w;
    }
    const into = row * outputs + out;
    y[into] = s;
    y[into + outputs] = t;
    y[into + 2 * outputs] = u;
    y[into + 3 * outputs] = v;
  }
}

function dot(x: Doubles, from: number, y: Doubles, at: number, count: number): number {
  let sum = 0;
  for (let k = 0; k < count; k++) sum += x[from + k]! * y[at + k]!;
  return sum;
}

/** The sum of two arrays of one size. */
export const sum = (x: Doubles, y: Doubles): Doubles => x.map((v, i) => v + y[i]!);

/** Each row brought to mean 0 and variance 1, then scaled and shifted. */
export function layerNorm(x: Doubles, gain: Doubles, shift: Doubles, epsilon: number): Doubles {
  const width = gain.length;
  const y = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += width) {
    const row = x.subarray(at, at + width);
    const mean = row.reduce((total, v) => total + v, 0) / width;
    const variance = row.reduce((total, v) => total + (v - mean) ** 2, 0) / width;
    const scale = 1 / Math.sqrt(variance + epsilon);
    for (let i = 0; i < width; i++) y[at + i] = (row[i]! - mean) * scale * gain[i]! + shift[i]!;
  }
  return y;
}

/** What attention reads, each [tokens, width], in how many heads, and whether a token sees those before it alone. */
export interface Attention {
  readonly q: Doubles;
  readonly k: Doubles;
  readonly v: Doubles;
  readonly width: number;
  readonly heads: number;
  readonly causal: boolean;
}

/** Scaled dot-product attention of one sequence: [tokens, width]. */
export function attention({ q, k, v, width, heads, causal }: Attention): Doubles {
  const [tokens, size] = [q.length / width, width / heads];
  const y = new Float64Array(q.length);
  for (let t = 0; t < tokens; t++)
    for (let from = 0; from < width; from += size) {
      const seen = Array.from({ length: causal ? t + 1 : tokens }, (_, s) => s);
      const scores = seen.map((s) => dot(q, t * width + from, k, s * width + from, size) / Math.sqrt(size));
      for (const [s, share] of softmax(scores).entries())
        for (let i = 0; i < size; i++) y[t * width + from + i]! += share * v[s * width + from + i]!;
    }
  return y;
}

/** Numbers above 0 with the sum 1. */
export function softmax(scores: readonly number[]): number[] {
  const top = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - top));
  const total = powers.reduce((all, power) => all + power, 0);
  return powers.map((power) => power / total);
}

/** max(x, 0), element by element. */
export const relu = (x: Doubles): Doubles => x.map((v) => Math.max(v, 0));

/** x Φ(x), element by element, with the normal distribution's Φ. */
export const gelu = (x: Doubles): Doubles => x.map((v) => (v / 2) * (1 + erf(v * Math.SQRT1_2)));

/** The error function by its series 2/√π e^(−x²) Σ 2ⁿ x^(2n+1) / (2n+1)!!, whose terms have one sign: nothing cancels. */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let [term, total] = [x, x];
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(total); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    total += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total;
}
