import * as tf from "@tensorflow/tfjs-core";
import { linear } from "../../src/kernels/linear.ts";
import type { WeightFormat } from "../../src/models/weights.ts";
import { halfKind } from "../../src/models/weights.ts";
import { type BackendName, deviceMemory, probeBackends, storage, useBackend } from "../../src/tensor/backend.ts";
import { findGpus, type Gpu } from "../../src/tensor/gpu.ts";
import { type Distribution, noiseKey } from "../../src/tensor/noise/key.ts";
import { addGaussian, addRademacher } from "../../src/tensor/noise/plain.ts";
import { type BackendCase, type BackendResult, measureBackend } from "./backendCase.ts";

/** One thing that is measured on a card, in a process of its own. */
export type GpuPart =
  | { readonly kind: "device" }
  | { readonly kind: "noise"; readonly backend: BackendName; readonly law: Distribution; readonly size: number }
  | {
      readonly kind: "product";
      readonly backend: BackendName;
      readonly weights: WeightFormat;
      /** Rows, columns and inner numbers of a square product. */
      readonly width: number;
    }
  | ({ readonly kind: "step" } & BackendCase);

/** What there is: the cards as the driver tells, and what each backend runs on or why it does not. */
export interface DeviceResult {
  readonly gpus: readonly Gpu[];
  readonly backends: readonly { readonly name: BackendName; readonly available: boolean; readonly detail: string }[];
}

/** Of z in float32: bits that differ from the definition's in the first values, and values a second moved in place. */
export interface NoiseResult {
  readonly compared: number;
  readonly differ: number;
  readonly valuesPerSecond: number;
}

/** Operations a second of a product with a weight, half of them multiplications. */
export interface ProductResult {
  readonly flops: number;
}

/** A step's seconds, and the most that lay on the device in bytes; the latter is absent where that is this process's memory. */
export interface StepResult extends BackendResult {
  readonly deviceBytes?: number | undefined;
}

/** Measures a part in this process. */
export function measurePart(part: GpuPart): Promise<DeviceResult | NoiseResult | ProductResult | StepResult> {
  if (part.kind === "device") return findDevice();
  if (part.kind === "noise") return measureNoise(part);
  return part.kind === "product" ? measureProduct(part) : measureStep(part);
}

async function findDevice(): Promise<DeviceResult> {
  const backends = (await probeBackends()).map(({ name, available, detail }) => ({ name, available, detail }));
  return { gpus: findGpus(), backends };
}

/** Values that are compared with the definition's. */
const COMPARED = 2 ** 16;
const KEY = noiseKey(1, 2, "weight");
const SCALE = 1e-3;

async function measureNoise({ backend, law, size }: GpuPart & { kind: "noise" }): Promise<NoiseResult> {
  await useBackend(backend);
  const weight = zeros([size], "float32");
  const move = (): void => storage().move([{ tensor: weight, moves: [{ key: KEY, scale: SCALE, keep: 1 }] }], law);
  move();
  const found = await firstValues(weight);
  const wanted = new Float32Array(found.length);
  ({ gaussian: addGaussian, rademacher: addRademacher })[law](wanted, SCALE, KEY);
  const [a, b] = [found, wanted].map(({ buffer, byteOffset, length }) => new Uint32Array(buffer, byteOffset, length));
  const seconds = await leastSeconds(3, async () => {
    move();
    await firstValues(weight);
  });
  weight.dispose();
  return {
    compared: found.length,
    differ: a!.filter((bits, i) => bits !== b![i]).length,
    valuesPerSecond: size / seconds,
  };
}

/** The first values, which are there only when all work before is done. */
async function firstValues(weight: tf.Tensor): Promise<Float32Array> {
  const first = tf.slice(weight, [0], [Math.min(COMPARED, weight.size)]);
  const values = (await first.data<"float32">()).slice();
  first.dispose();
  return values;
}

async function measureProduct({ backend, weights, width }: GpuPart & { kind: "product" }): Promise<ProductResult> {
  await useBackend(backend);
  const [x, weight] = [normals([width, width], "float32"), normals([width, width], weights)];
  const seconds = await leastSeconds(5, async () => {
    const y = linear(x, weight);
    const sum = tf.tidy(() => tf.slice(y, [0, 0], [1, 1]));
    await sum.data();
    tf.dispose([y, sum]);
  });
  tf.dispose([x, weight]);
  return { flops: (2 * width ** 3) / seconds };
}

async function measureStep({ kind: _, ...request }: GpuPart & { kind: "step" }): Promise<StepResult> {
  await useBackend(request.backend);
  deviceMemory()?.resetPeak();
  const result = await measureBackend(request);
  return { ...result, deviceBytes: deviceMemory()?.peak() };
}

function zeros(shape: readonly number[], weights: WeightFormat): tf.Tensor {
  return storage().weight(shape, (into) => into.fill(0), halfKind({ weights }));
}

/** Normals: products of zeros would take less power, and be faster. */
function normals(shape: readonly number[], weights: WeightFormat): tf.Tensor {
  const tensor = zeros(shape, weights);
  storage().move([{ tensor, moves: [{ key: KEY, scale: 1, keep: 1 }] }], "gaussian");
  return tensor;
}

/** The least of several times, the first of which warms up. */
async function leastSeconds(times: number, work: () => Promise<void>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i <= times; i++) {
    const started = performance.now();
    await work();
    if (i > 0) least = Math.min(least, performance.now() - started);
  }
  return least / 1e3;
}
