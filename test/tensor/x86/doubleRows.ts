import type { AttentionRows, AttentionSizes } from "../../../src/tensor/x86/rows.ts";

/** erfc(x) for x >= 0: a series near 0, a continued fraction beyond. */
function erfc(x: number): number {
  if (x > 2) {
    let rest = 0;
    for (let k = 150; k > 0; k--) rest = k / 2 / (x + rest);
    return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + rest);
  }
  let [series, term] = [0, x];
  for (let k = 0; k < 100; k++) {
    series += term / (2 * k + 1);
    term *= (-x * x) / (k + 1);
  }
  return 1 - (2 / Math.sqrt(Math.PI)) * series;
}

/** x Φ(x). */
export function gelu(x: number): number {
  const tail = 0.5 * erfc(Math.abs(x) / Math.SQRT2);
  return x * (x < 0 ? tail : 1 - tail);
}

/** 1 / (1 + exp(-x)). */
export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** log Σ exp of a row. */
export function logSum(row: Float32Array): number {
  const top = Math.max(...row);
  return top + Math.log(row.reduce((sum, v) => sum + Math.exp(v - top), 0));
}

const meanOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Rows normalized by their standard deviation, with a bias; without one by their root mean square. */
export function norm(x: Float32Array, weight: Float32Array, epsilon: number, bias?: Float32Array): number[] {
  const width = weight.length;
  return Array.from({ length: x.length / width }, (_, i) => {
    const row = Array.from(x.subarray(i * width, (i + 1) * width));
    const mean = bias ? meanOf(row) : 0;
    const scale = 1 / Math.sqrt(meanOf(row.map((v) => (v - mean) ** 2)) + epsilon);
    return row.map((v, j) => (v - mean) * scale * weight[j]! + (bias?.[j] ?? 0));
  }).flat();
}

/** Attention of packed sequences, written from its definition. */
export function attentionOf(rows: Omit<AttentionRows, "y">, sizes: AttentionSizes): Float64Array {
  const y = new Float64Array(rows.q.length);
  let [query, key] = [0, 0];
  sizes.lengths.forEach((length, sequence) => {
    const keys = sizes.keyLengths[sequence]!;
    for (let i = 0; i < length; i++) {
      const seen = sizes.causal ? keys - length + i + 1 : keys;
      for (let head = 0; head < sizes.heads; head++) attendOne(rows, sizes, { query: query + i, key, seen, head }, y);
    }
    query += length;
    key += keys;
  });
  return y;
}

/** A query of a head, and the first of the keys that it sees. */
interface Query {
  readonly query: number;
  readonly key: number;
  readonly seen: number;
  readonly head: number;
}

function attendOne(
  { q, k, v }: Omit<AttentionRows, "y">,
  { heads, keyHeads, width }: AttentionSizes,
  { query, key, seen, head }: Query,
  y: Float64Array,
): void {
  const columns = Array.from({ length: width }, (_, i) => i);
  const at = (query * heads + head) * width;
  const keyAt = (j: number): number => ((key + j) * keyHeads + Math.floor((head * keyHeads) / heads)) * width;
  const scores = Array.from({ length: seen }, (_, j) =>
    columns.reduce((sum, i) => sum + (q[at + i]! * k[keyAt(j) + i]!) / Math.sqrt(width), 0),
  );
  const top = Math.max(...scores);
  const weights = scores.map((score) => Math.exp(score - top));
  const total = weights.reduce((a, b) => a + b, 0);
  for (const i of columns) y[at + i] = weights.reduce((sum, weight, j) => sum + weight * v[keyAt(j) + i]!, 0) / total;
}
