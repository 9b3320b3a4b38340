import * as tf from "@tensorflow/tfjs-core";
import { afterEach, describe, expect, test } from "vitest";
import type { AdaptableNetwork } from "../../src/adapters/adapter.ts";
import { lora } from "../../src/adapters/lora.ts";
import { prefix } from "../../src/adapters/prefix.ts";
import { bestTokens } from "../../src/kernels/bestTokens.ts";
import type { Activation } from "../../src/kernels/elementwise.ts";
import { embed } from "../../src/kernels/embed.ts";
import { feedForward } from "../../src/kernels/feedForward.ts";
import { linear } from "../../src/kernels/linear.ts";
import { tokenLogProbs } from "../../src/kernels/tokenLogProbs.ts";
import type { Network } from "../../src/nn/network.ts";
import { features } from "../../src/nn/run.ts";
import { useBackend } from "../../src/tensor/backend.ts";
import { narrow, widenAll } from "../../src/tensor/halves.ts";
import { halfTensor } from "../../src/tensor/native/backend.ts";
import { poolBytes } from "../../src/tensor/native/pool.ts";
import { profileGraphs } from "../../src/tensor/native/session.ts";
import type { Distribution } from "../../src/tensor/noise/key.ts";
import { type Both, beside, pairwise } from "../../src/tensor/pair.ts";
import type { Parameter } from "../../src/tensor/parameter.ts";
import { type Products, setProducts } from "../../src/tensor/products.ts";
import type { HalfFormat } from "../../src/tensor/source.ts";
import { processorLevel } from "../../src/tensor/x86/library.ts";
import { BATCH, CONFIGS, networkWith, ROWS } from "../adapters/networks.ts";

const Z = { seed: 8, step: 1 };
const isHere = processorLevel() !== "none";

afterEach(() => setProducts(undefined));

/** Both sides of a result in one pass, which leaves no tensor and no memory behind. */
async function passOver(theta: readonly Parameter[], law: Distribution, eps: number, run: () => tf.Tensor) {
  const before = [tf.memory().numTensors, poolBytes().inUse];
  const both = await pairwise(theta, { law, eps, z: Z }, (sides) => {
    const tensor = tf.tidy(run);
    const found = sides(tensor);
    tensor.dispose();
    return found;
  });
  expect([tf.memory().numTensors, poolBytes().inUse]).toEqual(before);
  return both;
}

/** What `work` gives with these products, none of which ONNX Runtime formed. */
async function withoutGraphs<T>(products: Products, work: () => T | Promise<T>): Promise<T> {
  setProducts(products);
  const graphs: string[] = [];
  const result = await profileGraphs(
    ({ name }) => graphs.push(name),
    async () => work(),
  );
  expect(graphs.filter((name) => /^(linear|feedForward)/.test(name))).toEqual([]);
  return result;
}

/** The root mean square of the values of a, less those of b. */
const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.sqrt(Array.from(a, (v, i) => (v - b[i]!) ** 2).reduce((x, y) => x + y, 0) / a.length);
const size = (a: ArrayLike<number>): number => distance(a, new Float32Array(a.length));
const difference = ({ plus, minus }: Both<Float32Array>): Float32Array => plus.map((v, i) => v - minus[i]!);

/** How far both sides, and how far their difference, may be from those in float32, as a share of their size. */
const SHARES: Readonly<Record<Exclude<Products, "bf16">, { sides: number; difference: number }>> = {
  float32: { sides: 1e-5, difference: 5e-4 },
  bf16x3: { sides: 1e-4, difference: 1e-3 },
  difference: { sides: 0.02, difference: 0.02 },
};
type Exact = keyof typeof SHARES;
const EXACT = Object.keys(SHARES) as Exact[];

function expectNear(found: Both<Float32Array>, wanted: Both<Float32Array>, products: Exact): void {
  const share = SHARES[products];
  for (const side of ["plus", "minus"] as const)
    expect(distance(found[side], wanted[side]) / size(wanted[side])).toBeLessThan(share.sides);
  const change = difference(wanted);
  expect(size(change)).toBeGreaterThan(0);
  expect(distance(difference(found), change) / size(change)).toBeLessThan(share.difference);
}

const normal = (seed: number, ...shape: number[]): tf.Tensor => tf.randomNormal(shape, 0, 0.1, "float32", seed);

/** An operation: its inputs by name, those that are matrices kept in 16 bits where a format is given, and what is run of them. */
interface Operation {
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly matrices: readonly string[];
  readonly run: (inputs: Readonly<Record<string, tf.Tensor>>) => tf.Tensor;
}

const ids = (rows: number, vocabulary: number): tf.Tensor1D =>
  tf.tensor1d(Int32Array.from({ length: rows }, (_, i) => (i * 997) % vocabulary));

/** More rows and columns than a tile has, and matrices that no tile divides. */
const OPERATIONS: Readonly<Record<string, Operation>> = {
  ...Object.fromEntries(
    ([undefined, "relu", "gelu", "gelu_new", "silu"] as const).map((activation?: Activation) => [
      `linear with ${activation ?? "a residual"}`,
      {
        shapes: { x: [37, 128], weight: [100, 128], bias: [100], ...(!activation && { residual: [37, 100] }) },
        matrices: ["weight"],
        run: ({ x, weight, bias, residual }) =>
          linear(x!, weight!, activation ? { bias: bias!, activation } : { bias: bias!, residual: residual! }),
      } satisfies Operation,
    ]),
  ),
  ...Object.fromEntries(
    (
      [
        [20, "gelu"],
        [260, "relu"],
      ] as const
    ).map(([rows, activation]) => [
      `feedForward of ${rows} rows`,
      {
        shapes: { x: [rows, 64], up: [896, 64], upBias: [896], down: [80, 896], downBias: [80], residual: [rows, 80] },
        matrices: ["up", "down"],
        run: ({ x, up, upBias, down, downBias, residual }) =>
          feedForward(x!, { up: up!, upBias: upBias!, down: down!, downBias: downBias! }, activation, residual!),
      } satisfies Operation,
    ]),
  ),
  "linear by rows that are looked up": {
    shapes: { x: [9, 64], table: [200, 64] },
    matrices: ["table"],
    run: ({ x, table }) => linear(x!, embed(ids(5, 200), table!)),
  },
  tokenLogProbs: {
    shapes: { features: [9, 64], table: [4500, 64], bias: [4500] },
    matrices: ["table"],
    run: ({ features, table, bias }) => tokenLogProbs(features!, table!, ids(9, 4500), bias!),
  },
};

/** The values of an operation's inputs: normals, the matrices rounded to a format of 16 bits where one is given. */
function drawInputs({ shapes, matrices }: Operation, format?: HalfFormat): Record<string, Float32Array> {
  const entries = Object.entries(shapes).map(([name, shape], i) => {
    const values = tf.tidy(() =>
      normal(i + 1, ...shape)
        .dataSync()
        .slice(),
    ) as unknown as Float32Array;
    if (!format || !matrices.includes(name)) return [name, values] as const;
    const halves = { format, rounding: "nearest", bits: new Uint16Array(values.length) } as const;
    narrow(values, halves, 0);
    return [name, widenAll(halves)] as const;
  });
  return Object.fromEntries(entries);
}

/** Both sides of an operation on the backend in use, the named inputs being theta. */
async function run(
  operation: Operation,
  values: Readonly<Record<string, Float32Array>>,
  moved: readonly string[],
  law: Distribution,
  format?: HalfFormat,
) {
  const entries = Object.entries(operation.shapes).map(([name, shape]) => {
    if (!format || !operation.matrices.includes(name)) return [name, tf.tensor(values[name]!, [...shape])] as const;
    const halves = { format, rounding: "nearest", bits: new Uint16Array(values[name]!.length) } as const;
    narrow(values[name]!, halves, 0);
    return [name, halfTensor(shape, halves)] as const;
  });
  const inputs = Object.fromEntries(entries);
  const theta = moved.map((name) => ({ name, value: inputs[name]! }));
  const both = await passOver(theta, law, 0.05, () => operation.run(inputs));
  tf.dispose(inputs);
  return both;
}

/** The same in TensorFlow.js's own operations, with the weights formed whole. */
async function reference(...given: Parameters<typeof run>): Promise<Both<Float32Array>> {
  await useBackend("cpu");
  const both = await run(...given);
  await useBackend("native", { threads: 1 });
  return both;
}

describe.skipIf(!isHere)("both sides by the kit's own kernels", () => {
  describe.each(Object.entries(OPERATIONS))("of %s", (_name, operation) => {
    const all = Object.keys(operation.shapes);
    const beside = all.filter((name) => !operation.matrices.includes(name));
    test.each([
      ["all inputs", all, "gaussian"],
      ["all inputs, of signs", all, "rademacher"],
      ["the matrices alone", operation.matrices, "gaussian"],
      ["all but the matrices", beside, "gaussian"],
    ] as const)("are what weights formed whole give, moving %s", async (_what, moved, law) => {
      const values = drawInputs(operation);
      const wanted = await reference(operation, values, moved, law);
      for (const products of EXACT)
        expectNear(await withoutGraphs(products, () => run(operation, values, moved, law)), wanted, products);
    });

    test.each(["float16", "bfloat16"] as const)("are so of matrices kept in %s", async (format) => {
      const values = drawInputs(operation, format);
      const wanted = await reference(operation, values, all, "gaussian");
      for (const products of EXACT)
        expectNear(
          await withoutGraphs(products, () => run(operation, values, all, "gaussian", format)),
          wanted,
          products,
        );
    });
  });
});

/** What is trained of a network. */
const TRAINED = {
  "all weights": ({ parameters }: AdaptableNetwork) => ({ parameters, dispose: () => {} }),
  LoRA: (network: AdaptableNetwork) => lora({ rank: 64, alpha: 64 }).begin(network, { seed: 2, vocabulary: 320 }),
  "the prefix": (network: AdaptableNetwork) => prefix({ length: 5 }).begin(network, { seed: 2, vocabulary: 320 }),
} as const;

/** Configurations whose matrices all have rows of whole 64 columns. */
const WIDE = { hidden_size: 128, ffn_dim: 192, intermediate_size: 192, vocab_size: 320, num_key_value_heads: 2 };

async function passOverNetwork(
  family: "opt" | "roberta" | "llama",
  begin: (typeof TRAINED)[keyof typeof TRAINED],
  pass: (run: () => Promise<Both<Float32Array>>) => Promise<Both<Float32Array>> = async (run) => run(),
) {
  const config = { ...CONFIGS[family], ...WIDE, ...(family === "opt" && { word_embed_proj_dim: 128 }) };
  const network = networkWith(config, (weight, i) => 0.2 * Math.sin(1 + weight + 0.7 * i * (1 + (i % 11))));
  const trained = begin(network);
  const whole = { ...network, adaptation: {}, ...trained } as Network;
  const run = (): tf.Tensor =>
    tokenLogProbs(features(whole, BATCH, ROWS), whole.head.weight, ids(ROWS.length, 320), whole.head.bias);
  const both = await pass(() => passOver(trained.parameters, "gaussian", 0.02, run));
  trained.dispose();
  network.dispose();
  return both;
}

describe.skipIf(!isHere)("both sides of a network by the kit's own kernels", () => {
  describe.each(["opt", "roberta", "llama"] as const)("%s", (family) => {
    test.each(Object.entries(TRAINED))("are what TensorFlow.js gives, training %s", async (_what, begin) => {
      await useBackend("cpu");
      const wanted = await passOverNetwork(family, begin);
      await useBackend("native", { threads: 1 });
      for (const products of EXACT) {
        const found = await passOverNetwork(family, begin, (run) => withoutGraphs(products, run));
        expectNear(found, wanted, products);
      }
    });
  });
});

describe.skipIf(!isHere)("one side by the kit's own kernels", () => {
  test.each(Object.entries(OPERATIONS))("of %s is what TensorFlow.js gives", async (_name, operation) => {
    const values = drawInputs(operation);
    const once = async (): Promise<Float32Array> => (await run(operation, values, [], "gaussian")).plus;
    const { plus: wanted } = await reference(operation, values, [], "gaussian");
    for (const products of EXACT) {
      const found = await withoutGraphs(products, once);
      expect(distance(found, wanted) / size(wanted)).toBeLessThan(products === "float32" ? 1e-5 : 1e-4);
    }
  });

  test.each(Object.entries(OPERATIONS))("of %s moved is what both sides have there", async (_name, operation) => {
    const values = drawInputs(operation);
    const all = Object.keys(operation.shapes);
    const { plus } = await reference(operation, values, all, "rademacher");
    const inputs = Object.fromEntries(
      all.map((name) => [name, tf.tensor(values[name]!, [...operation.shapes[name]!])]),
    );
    const theta = all.map((name) => ({ name, value: inputs[name]! }));
    const alone = (): Promise<Float32Array> =>
      beside(theta, { law: "rademacher", eps: 0.05, z: Z }, (read) => {
        const tensor = tf.tidy(() => operation.run(inputs));
        const found = read(tensor);
        tensor.dispose();
        return found;
      });
    for (const products of EXACT) {
      const before = [tf.memory().numTensors, poolBytes().inUse];
      const found = await withoutGraphs(products, alone);
      expect([tf.memory().numTensors, poolBytes().inUse]).toEqual(before);
      expect(distance(found, plus) / size(plus)).toBeLessThan(products === "float32" ? 1e-5 : 1e-4);
    }
    tf.dispose(inputs);
  });

  test("chooses the likeliest tokens", async () => {
    const [features, table] = [normal(1, 5, 64), normal(2, 5000, 64)];
    const wanted = tf.tidy(() => [...tf.argMax(tf.matMul(features, table, false, true), -1).dataSync()]);
    const found = await withoutGraphs("float32", () => tf.tidy(() => [...bestTokens(features, table).dataSync()]));
    expect(found).toEqual(wanted);
    tf.dispose([features, table]);
  });
});
