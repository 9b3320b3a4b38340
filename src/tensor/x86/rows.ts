import { give, take } from "../native/pool.ts";
import { ACTIVATIONS, type Activation } from "./activations.ts";
import { callLibrary, libraryThreads } from "./library.ts";

/** Elements, and products of attention, below which waking another thread costs more than it saves. */
const [WORTH_THREADS, PRODUCTS_WORTH_THREADS] = [1 << 16, 1 << 19];

/** Threads that are worth waking for an operation on so many elements. */
export const threadsFor = (elements: number): number => (elements < WORTH_THREADS ? 1 : libraryThreads());

/** Throws where an array is not as long as it has to be: what the library cannot see, because it gets addresses alone. */
export function checkSize(what: string, { length }: ArrayLike<number>, expected: number): void {
  if (length !== expected) throw new Error(`${what} has ${length} elements where ${expected} are expected`);
}

/** y = the activation of x; y may be x. */
export function activate(activation: Activation, x: Float32Array, y: Float32Array): void {
  checkSize("y", y, x.length);
  const kind = ACTIVATIONS.indexOf(activation);
  callLibrary(
    "int mezo_activate(const float *, float *, int64_t, int, int)",
    x,
    y,
    x.length,
    kind,
    threadsFor(x.length),
  );
}

/** y = a + b, or a b element by element; y may be either. */
export function combine(operation: "add" | "multiply", a: Float32Array, b: Float32Array, y: Float32Array): void {
  checkSize("b", b, a.length);
  checkSize("y", y, a.length);
  callLibrary(
    `int mezo_${operation}(const float *, const float *, float *, int64_t, int)`,
    a,
    b,
    y,
    a.length,
    threadsFor(a.length),
  );
}

/** Rows that are normalized: x and y [rows, width], y may be x; the gain `weight` [width], and what is added under the root. */
export interface NormRows {
  readonly x: Float32Array;
  readonly weight: Float32Array;
  readonly epsilon: number;
  readonly y: Float32Array;
}

/** y = the rows of x less their mean, over their standard deviation, times weight, plus bias [width]. */
export function layerNorm({ x, weight, epsilon, y }: NormRows, bias: Float32Array): void {
  const [rows, width] = rowsOf(x, weight, y);
  checkSize("bias", bias, width);
  const signature =
    "int mezo_layer_norm(const float *, const float *, const float *, float *, int64_t, int64_t, float, int)";
  callLibrary(signature, x, weight, bias, y, rows, width, epsilon, threadsFor(x.length));
}

/** y = the rows of x over their root mean square, times weight. */
export function rmsNorm({ x, weight, epsilon, y }: NormRows): void {
  const [rows, width] = rowsOf(x, weight, y);
  const signature = "int mezo_rms_norm(const float *, const float *, float *, int64_t, int64_t, float, int)";
  callLibrary(signature, x, weight, y, rows, width, epsilon, threadsFor(x.length));
}

function rowsOf(x: Float32Array, weight: Float32Array, y: Float32Array): [rows: number, width: number] {
  const [rows, width] = [Math.floor(x.length / weight.length), weight.length];
  checkSize("x", x, rows * width);
  checkSize("y", y, rows * width);
  return [rows, width];
}

/** y = x [rows, width] with each pair of a head (kernels/rotary.ts) turned by its row's angle; cos and sin [rows, pairs]. */
export function turnPairs(x: Float32Array, cos: Float32Array, sin: Float32Array, pairs: number, y: Float32Array): void {
  const rows = cos.length / pairs;
  checkSize("sin", sin, cos.length);
  checkSize("y", y, x.length);
  const signature =
    "int mezo_rotary(const float *, const float *, const float *, float *, int64_t, int64_t, int64_t, int)";
  callLibrary(signature, x, cos, sin, y, rows, x.length / rows, pairs, threadsFor(x.length));
}

/** Of each row the logarithm of a sum of exponentials, tops + log(sums), of the columns seen so far: -Infinity and 0 before the first. */
export interface LogSums {
  readonly tops: Float32Array;
  readonly sums: Float64Array;
}

/** The log-sums of rows of which nothing was seen. */
export function emptyLogSums(rows: number): LogSums {
  return { tops: new Float32Array(rows).fill(Number.NEGATIVE_INFINITY), sums: new Float64Array(rows) };
}

/** Adds `columns` of logits to the log-sums of rows, which lie `stride` elements apart. */
export function addToLogSums(
  { tops, sums }: LogSums,
  logits: Float32Array,
  columns: number,
  stride: number = columns,
): void {
  const rows = tops.length;
  checkSize("sums", sums, rows);
  if (logits.length < (rows - 1) * stride + columns)
    throw new Error(`logits has ${logits.length} elements for ${rows} rows of ${columns}, ${stride} apart`);
  const signature = "int mezo_log_sums(const float *, int64_t, int64_t, int64_t, float *, double *, int)";
  callLibrary(signature, logits, rows, columns, stride, tops, sums, threadsFor(rows * columns));
}

/** Rows of queries [n, heads * width], and of keys and values [n, key heads * width]; y is as large as q. */
export interface AttentionRows {
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
  readonly y: Float32Array;
}

/** How rows are divided into sequences (kernels/attention.ts has the meaning) and into heads `width` wide. */
export interface AttentionSizes {
  readonly lengths: readonly number[];
  readonly keyLengths: readonly number[];
  readonly heads: number;
  readonly keyHeads: number;
  readonly width: number;
  readonly causal: boolean;
}

/** Queries that a thread turns at a time, and keys whose scores it holds, at most. */
const [QUERIES, KEYS, LANES] = [32, 128, 16];

const ATTENTION =
  "int mezo_attention(const int32_t *, const float *, const float *, const float *, float *, const int32_t *, const int32_t *, float *, int64_t, int)";

/** The numbers of attention_sizes (api.h), for q and k of these sizes, and the threads that are worth waking. Throws where they do not fit. */
export function describeAttention(
  { q, k, v }: Pick<AttentionRows, "q" | "k" | "v">,
  { lengths, keyLengths, heads, keyHeads, width, causal }: AttentionSizes,
): { numbers: Int32Array; threads: number } {
  const [queries, keys] = [q.length / (heads * width), k.length / (keyHeads * width)];
  checkSize("v", v, k.length);
  checkSize("keyLengths", keyLengths, lengths.length);
  const products = lengths.reduce((sum, length, i) => sum + length * keyLengths[i]! * heads * width, 0);
  return {
    numbers: Int32Array.of(lengths.length, queries, keys, heads, keyHeads, width, Number(causal)),
    threads: products < PRODUCTS_WORTH_THREADS ? 1 : libraryThreads(),
  };
}

/** y = attention of packed sequences. */
export function attend(rows: AttentionRows, sizes: AttentionSizes): void {
  const { q, k, v, y } = rows;
  const { numbers, threads } = describeAttention(rows, sizes);
  checkSize("y", y, q.length);
  const scratch = take(threads * QUERIES * (Math.ceil(sizes.width / LANES) * LANES + KEYS));
  const lengths = [sizes.lengths, sizes.keyLengths].map((of) => Int32Array.from(of));
  try {
    callLibrary(ATTENTION, numbers, q, k, v, y, ...lengths, scratch, scratch.length, threads);
  } finally {
    give(scratch);
  }
}
