import * as tf from "@tensorflow/tfjs-core";
import { linearGraph } from "../../src/kernels/linear.ts";
import { useBackend } from "../../src/tensor/backend.ts";
import { runGraph } from "../../src/tensor/native/session.ts";
import { gaussian, type Perturb, rademacher } from "../../src/tensor/parameter.ts";
import type { Products } from "../../src/tensor/products.ts";
import { processorLevel } from "../../src/tensor/x86/library.ts";
import { multiply } from "../../src/tensor/x86/products.ts";

/** What the machine can do at best, as this run measured it. */
export interface Ceilings {
  /** Floating-point operations a second of one large matrix product in ONNX Runtime. */
  readonly gemm: number;
  /** The same of the kit's own kernels, in float32 and of operands rounded to bfloat16; absent where they do not run. */
  readonly float32?: number;
  readonly bf16?: number;
  /** Values of z a second, added to weights in place. */
  readonly gaussian: number;
  readonly rademacher: number;
  /** Bytes that one thread reads and writes a second when it copies. */
  readonly copied: number;
}

const PRODUCT = { rows: 1024, from: 768, to: 3072 };
const PRODUCT_FLOPS = 2 * PRODUCT.rows * PRODUCT.from * PRODUCT.to;
const NORMALS = 2 ** 24;

/** Measures the ceilings in this process: the best of many products and of several sweeps. */
export async function measureCeilings(threads: number): Promise<Ceilings> {
  await useBackend("native", { threads });
  return {
    gemm: gemmRate(),
    ...(processorLevel() !== "none" && { float32: ownRate("float32"), bf16: ownRate("bf16") }),
    ...{ gaussian: noiseRate(gaussian), rademacher: noiseRate(rademacher), copied: copyRate() },
  };
}

/** The better of two measurements, part by part. */
export function bestOf(a: Ceilings, b: Ceilings): Ceilings {
  const better = (part: keyof Ceilings): number => Math.max(a[part] ?? 0, b[part] ?? 0);
  return Object.fromEntries(
    Object.keys(a).map((part) => [part, better(part as keyof Ceilings)]),
  ) as unknown as Ceilings;
}

/** The operands of one large product. */
function operands(): Readonly<Record<"x" | "weight" | "y", Float32Array>> {
  const { rows, from, to } = PRODUCT;
  return {
    x: new Float32Array(rows * from).fill(0.5),
    weight: new Float32Array(to * from).fill(0.25),
    y: new Float32Array(rows * to),
  };
}

function gemmRate(): number {
  const { x, weight, y } = operands();
  const { rows, from, to } = PRODUCT;
  const feeds = { x: { values: x, shape: [rows, from] }, weight: { values: weight, shape: [to, from] } };
  const graph = () => linearGraph(["x", "weight"]);
  return (
    PRODUCT_FLOPS / leastSeconds(24, () => runGraph("ceiling", graph, feeds, { y: { values: y, shape: [rows, to] } }))
  );
}

function ownRate(products: Products): number {
  const { x, weight, y } = operands();
  const { rows, from, to } = PRODUCT;
  const matrix = { source: weight, first: 0, rows: to, columns: from, stride: from };
  return PRODUCT_FLOPS / leastSeconds(24, () => multiply(products, rows, matrix, { x, y }));
}

function noiseRate(noise: Perturb): number {
  const weights = tf.zeros([NORMALS]);
  const seconds = leastSeconds(5, (i) => noise([{ name: "weights", value: weights }], 1e-3, { seed: 1, step: i }));
  weights.dispose();
  return NORMALS / seconds;
}

function copyRate(): number {
  const [from, to] = [new Float32Array(NORMALS).fill(1), new Float32Array(NORMALS)];
  return (2 * from.byteLength) / leastSeconds(8, () => to.set(from));
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
