import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { probeBackends, useBackend } from "../../../src/tensor/backend.ts";
import { plainNarrow, plainWiden } from "../../../src/tensor/halves.ts";
import type { HalfFormat } from "../../../src/tensor/source.ts";
import { dispatch, flatGroups, output, type Shader, submit } from "../../../src/tensor/webgpu/dispatch.ts";
import { type GpuBackend, gpu } from "../../../src/tensor/webgpu/gpu.ts";
import { formatOf, halfTensor, loadWeight, weightType } from "../../../src/tensor/webgpu/halves.ts";

const { available, detail } = (await probeBackends()).find(({ name }) => name === "webgpu")!;

const MAIN = `@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group : vec3<u32>, @builtin(num_workgroups) groups : vec3<u32>, @builtin(local_invocation_index) lane : u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;`;

/** y = x · scale + shift. */
const affine: Shader = {
  name: "test affine",
  code: `
@group(0) @binding(0) var<storage, read> x : array<f32>;
@group(0) @binding(1) var<storage, read_write> y : array<f32>;
${MAIN}
  if (i < params.size) { y[i] = x[i] * params.scale + f32(params.shift); }
}`,
};

/** x = x + 1, in place. */
const increment: Shader = {
  name: "test increment",
  code: `
@group(0) @binding(0) var<storage, read_write> x : array<f32>;
${MAIN}
  if (i < params.size) { x[i] += 1.0; }
}`,
};

function scaled(x: tf.TensorInfo, scale: number, shift: number): tf.Tensor {
  const size = tf.util.sizeFromShape(x.shape);
  const y = output(x.shape);
  dispatch(affine, {
    buffers: [x, y],
    params: { size: { u32: size }, scale: { f32: scale }, shift: { u32: shift } },
    groups: flatGroups(Math.ceil(size / 64)),
  });
  return tf.engine().makeTensorFromTensorInfo(y);
}

function addOne(x: tf.Tensor): void {
  dispatch(increment, { buffers: [x], params: { size: { u32: x.size } }, groups: flatGroups(Math.ceil(x.size / 64)) });
}

const values = async (tensor: tf.Tensor): Promise<number[]> => {
  const read = Array.from(await tensor.data());
  tensor.dispose();
  return read;
};

/** Writes words into a tensor's buffer. */
function writeWords(backend: GpuBackend, tensor: tf.TensorInfo, words: Uint32Array): void {
  submit(backend);
  backend.queue.writeBuffer(backend.tensorMap.get(tensor.dataId).resource!, 0, words);
}

/** Whether bits are those of a finite number, in bfloat16 of none below float32's normal ones. */
const isWeight = (half: number, format: HalfFormat): boolean => {
  const exponent = half & (format === "float16" ? 0x7c00 : 0x7f80);
  return format === "float16" ? exponent !== 0x7c00 : exponent !== 0x7f80 && exponent !== 0;
};

describe.skipIf(!available)(`dispatches of WGSL${available ? ` on ${detail}` : ` (skipped: ${detail})`}`, () => {
  test("run in order with TensorFlow.js's own commands, whoever comes first", async () => {
    await useBackend("webgpu");
    const x = tf.tensor1d([1, 2, 3, 4, 5]);
    const result = tf.tidy(() => tf.sub(scaled(tf.mul(scaled(x, 2, 1), 10), 1, 7), x));
    expect(await values(result)).toEqual([36, 55, 74, 93, 112]);
    x.dispose();
  });

  test("write in place, seen by whoever reads, before and after", async () => {
    await useBackend("webgpu");
    const x = tf.tensor1d([1, 2, 3]);
    addOne(x);
    expect(Array.from(await x.data())).toEqual([2, 3, 4]);
    addOne(x);
    const double = tf.mul(x, 2);
    addOne(x);
    expect(await values(double)).toEqual([6, 8, 10]);
    expect(await values(x)).toEqual([4, 5, 6]);
  });

  test("free buffers after they were sent alone, and are right where a buffer is used again", async () => {
    await useBackend("webgpu");
    const kept: tf.Tensor[] = [];
    for (let i = 0; i < 300; i++) {
      const x = tf.fill([64], i);
      const y = scaled(x, 2, i);
      x.dispose();
      kept.push(tf.sum(y));
      y.dispose();
    }
    const sums = await values(tf.tidy(() => tf.stack(kept)));
    expect(sums).toEqual(Array.from({ length: 300 }, (_, i) => 64 * 3 * i));
    tf.dispose(kept);
  });

  test("each have their own parameters, however many wait", async () => {
    await useBackend("webgpu");
    const x = tf.tensor1d([1]);
    const results = Array.from({ length: 700 }, (_, i) => scaled(x, i, i));
    expect(await values(tf.tidy(() => tf.concat(results)))).toEqual(Array.from({ length: 700 }, (_, i) => 2 * i));
    tf.dispose([x, ...results]);
  });

  test("reach elements beyond 65,535 workgroups", async () => {
    await useBackend("webgpu");
    const size = 64 * 65_535 + 100;
    const x = tf.zeros<tf.Rank.R1>([size]);
    const y = scaled(x, 1, 3);
    expect(await values(tf.tidy(() => tf.slice(y, [size - 110])))).toEqual(new Array(110).fill(3));
    tf.dispose([x, y]);
  });

  test("do nothing for no workgroups", async () => {
    await useBackend("webgpu");
    const x = tf.tensor1d([]);
    expect(await values(scaled(x, 1, 1))).toEqual([]);
    x.dispose();
  });

  test.each(["float16", "bfloat16"] as const)(
    "read weights in %s by element, pair and four, every finite number",
    async (format) => {
      await useBackend("webgpu");
      const bits = Uint16Array.from({ length: 0x10000 }, (_, i) => (isWeight(i, format) ? i : 0));
      const [wide, weight] = [new Float32Array(bits.length), halfTensor([256, 256], { format, rounding: "nearest" })];
      plainWiden(bits, format, wide);
      writeWords(gpu(), weight, new Uint32Array(bits.buffer));
      const flat = tf.reshape(weight, [65_536]);
      expect(formatOf(flat)).toBe(format);
      const reader: Shader = {
        name: `test read ${format}`,
        code: `
@group(0) @binding(0) var<storage, read> w : array<${weightType(format)}>;
@group(0) @binding(1) var<storage, read_write> y : array<f32>;
${loadWeight(format, "w")}
${MAIN}
  y[i] = weightAt(i);
  y[65536u + i] = weightPair(i / 2u)[i % 2u];
  y[131072u + i] = weightFour(i / 4u)[i % 4u];
}`,
      };
      const y = output([3, 65_536]);
      dispatch(reader, { buffers: [weight, y], params: {}, groups: [1024] });
      const result = tf.engine().makeTensorFromTensorInfo(y);
      const read = (await result.data()) as Float32Array;
      for (const at of [0, 1, 2]) expect(read.subarray(65_536 * at, 65_536 * (at + 1))).toEqual(wide);
      tf.dispose([weight, flat, result]);
    },
  );

  test("see a weight of 16 bits widened where they read float32", async () => {
    await useBackend("webgpu");
    const given = Float32Array.of(1.5, -2, 0.1, 3, 7);
    const bits = new Uint16Array(6);
    plainNarrow(given, "float16", bits.subarray(0, 5));
    const weight = halfTensor([5], { format: "float16", rounding: "nearest" });
    writeWords(gpu(), weight, new Uint32Array(bits.buffer));
    expect(await values(scaled(weight, 2, 1))).toEqual([4, -3, 2 * 0.0999755859375 + 1, 7, 15].map(Math.fround));
    expect(() => addOne(weight)).toThrow(
      "The shader test increment writes float32, but was given a weight of 16 bits.",
    );
    weight.dispose();
  });
});
