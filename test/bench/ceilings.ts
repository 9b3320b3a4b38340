import * as tf from "@tensorflow/tfjs-core";
import { linear } from "../../src/kernels/linear.ts";
import { useBackend } from "../../src/tensor/backend.ts";
import { gaussian, type Perturb, rademacher } from "../../src/tensor/parameter.ts";

/** What the machine can do at best, as this run measured it. */
export interface Ceilings {
  /** Floating-point operations a second of one large matrix product in ONNX Runtime. */
  readonly gemm: number;
  /** Values of z a second, added to weights in place. */
  readonly gaussian: number;
  readonly rademacher: number;
}

const PRODUCT = { rows: 1024, from: 768, to: 3072 };
const NORMALS = 2 ** 24;

/** Measures the ceilings in this process: the best of many products and of several sweeps. */
export async function measureCeilings(threads: number): Promise<Ceilings> {
  await useBackend("native", { threads });
  return { gemm: gemmRate(), gaussian: noiseRate(gaussian), rademacher: noiseRate(rademacher) };
}

/** The better of two measurements, part by part. */
export function bestOf(a: Ceilings, b: Ceilings): Ceilings {
  const better = (part: keyof Ceilings): number => Math.max(a[part], b[part]);
  return { gemm: better("gemm"), gaussian: better("gaussian"), rademacher: better("rademacher") };
}

function gemmRate(): number {
  const { rows, from, to } = PRODUCT;
  const [x, weight] = [tf.fill([rows, from], 0.5), tf.fill([to, from], 0.25)];
  const seconds = leastSeconds(24, () => linear(x, weight).dispose());
  tf.dispose([x, weight]);
  return (2 * rows * from * to) / seconds;
}

function noiseRate(noise: Perturb): number {
  const weights = tf.zeros([NORMALS]);
  const seconds = leastSeconds(5, (i) => noise([{ name: "weights", value: weights }], 1e-3, { seed: 1, step: i }));
  weights.dispose();
  return NORMALS / seconds;
}

function leastSeconds(times: number, work: (i: number) => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < times; i++) {
    const started = performance.now();
    work(i);
    least = Math.min(least, performance.now() - started);
  }
  return least / 1e3;
}
