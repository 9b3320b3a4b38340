import { callLibrary, libraryThreads } from "./library.ts";

/** One step of Adam: theta = keep · theta − rate · m / (√v / root + epsilon), with m and v of scale · gradient + l2 · theta. */
export type AdamPass = Readonly<Record<(typeof FIELDS)[number], number>>;

/** In the order of adam_step (api.h). */
const FIELDS = ["beta1", "beta2", "scale", "l2", "rate", "root", "epsilon", "keep"] as const;

/** What a step of Adam reads and writes, all of one length. */
export interface AdamArrays {
  readonly theta: Float32Array;
  readonly gradient: Float32Array;
  readonly m: Float32Array;
  readonly v: Float32Array;
}

/** A step of Adam in one pass in place. Only where there is a library. Throws where the lengths differ. */
export function adamPass({ theta, gradient, m, v }: AdamArrays, pass: AdamPass): void {
  for (const { length } of [gradient, m, v])
    if (length !== theta.length) throw new Error(`adam: ${length} elements for ${theta.length} weights`);
  callLibrary(
    "int mezo_adam(float *, const float *, float *, float *, int64_t, const double *, int)",
    ...[theta, gradient, m, v, theta.length],
    Float64Array.from(FIELDS, (field) => pass[field]),
    libraryThreads(),
  );
}

/** As in weights.h. */
const WEIGHTS_AT_ONCE = 65536;

/** The sum of the squares, in double precision. Only where there is a library. The same for any number of threads. */
export function sumSquares(values: Float32Array): number {
  const sums = new Float64Array(Math.ceil(values.length / WEIGHTS_AT_ONCE));
  const signature = "int mezo_squares(const float *, int64_t, double *, int64_t, int)";
  callLibrary(signature, values, values.length, sums, sums.length, libraryThreads());
  return sums.reduce((a, b) => a + b, 0);
}
