/** Rows of numbers in double precision, one after the other. */
export type Doubles = Float64Array;

/** y = x Wᵀ + bias: x [rows, columns], weight [outputs, columns], y [rows, outputs]. */
export function linear(x: Doubles, columns: number, weight: Doubles, bias?: Doubles): Doubles {
  const [rows, outputs] = [x.length / columns, weight.length / columns];
  const y = new Float64Array(rows * outputs);
  if (rows >= 4 && outputs >= 2) multiplyByBlocks(x, columns, weight, y);
  else
    for (let row = 0; row < rows; row++)
      for (let out = 0; out < outputs; out++)
        y[row * outputs + out] = dot(x, row * columns, weight, out * columns, columns);
  if (bias) for (let i = 0; i < y.length; i++) y[i]! += bias[i % outputs]!;
  return y;
}

/** Four rows by two outputs at once, so that each number is read for several sums; the last blocks begin earlier than where others end. */
function multiplyByBlocks(x: Doubles, columns: number, weight: Doubles, y: Doubles): void {
  const [rows, outputs] = [x.length / columns, weight.length / columns];
  for (let row = 0; row < rows; row += 4)
    for (let out = 0; out < outputs; out += 2)
      block(x, columns, weight, y, Math.min(row, rows - 4), Math.min(out, outputs - 2));
}

function block(x: Doubles, columns: number, weight: Doubles, y: Doubles, row: number, out: number): void {
  const a = row * columns;
  const b = a + columns;
  const c = b + columns;
  const d = c + columns;
  const v = out * columns;
  const w = v + columns;
  let av = 0;
  let aw = 0;
  let bv = 0;
  let bw = 0;
  let cv = 0;
  let cw = 0;
  let dv = 0;
  let dw = 0;
  for (let k = 0; k < columns; k++) {
    const first = weight[v + k]!;
    const second = weight[w + k]!;
    av += x[a + k]! * first;
    aw += x[a + k]! * second;
    bv += x[b + k]! * first;
    bw += x[b + k]! * second;
    cv += x[c + k]! * first;
    cw += x[c + k]! * second;
    dv += x[d + k]! * first;
    dw += x[d + k]! * second;
  }
  const width = weight.length / columns;
  const at = row * width + out;
  y[at] = av;
  y[at + 1] = aw;
  y[at + width] = bv;
  y[at + width + 1] = bw;
  y[at + 2 * width] = cv;
  y[at + 2 * width + 1] = cw;
  y[at + 3 * width] = dv;
  y[at + 3 * width + 1] = dw;
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
