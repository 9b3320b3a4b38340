import * as tf from "@tensorflow/tfjs-core";
import { peakBytes } from "../../src/experiment/cost.ts";
import { tokenLogProbs } from "../../src/kernels/tokenLogProbs.ts";
import { halfKind, type WeightFormat } from "../../src/models/weights.ts";
import { lastTokens, packBatch, type TokenBatch } from "../../src/nn/batch.ts";
import type { Network } from "../../src/nn/network.ts";
import { features } from "../../src/nn/run.ts";
import { type BackendName, productsInUse, storage, useBackend } from "../../src/tensor/backend.ts";
import { pairwise } from "../../src/tensor/pair.ts";
import type { Parameter } from "../../src/tensor/parameter.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import type { Objective } from "../../src/tuners/tuner.ts";
import { randomNetwork } from "./randomNetwork.ts";
import { shapesOnBackends } from "./shapes.ts";

/** What is measured on a backend: a shape, a batch, what matrices are kept in. */
export interface BackendCase {
  readonly backend: BackendName;
  readonly model: string;
  readonly rows: number;
  readonly tokens: number;
  readonly weights: WeightFormat;
  readonly threads: number;
  /** Forward passes, and MeZO steps after them; one more of each warms up */
  readonly passes: number;
  readonly steps: number;
}

/**
 * The least seconds of a forward pass, by the clock and of all cores together, which others at work on the machine do not change as much; and
 * of a MeZO step, where one was asked for.
 */
export interface BackendResult {
  readonly forward: number;
  readonly forwardCpu: number;
  readonly mezo?: StepSeconds;
  readonly products: string;
  readonly peakBytes: number;
}

/** Measures forward passes and MeZO steps in this process. */
export async function measureBackend(request: BackendCase): Promise<BackendResult> {
  await useBackend(request.backend, { threads: request.threads });
  const { family, config } = shapesOnBackends[request.model]!;
  const network = randomNetwork(family, config, request.weights);
  const objective = objectiveOf(network, request);
  const passes = await repeat(request.passes, () => seconds(async () => void (await objective.value())));
  const training = mezo({ lr: 1e-7, eps: 1e-3 }).begin(network.parameters);
  const steps = await repeat(request.steps, (step) =>
    timeStep(async () => void (await training.step(objective, { seed: 1, step, total: request.steps + 1 }))),
  );
  const result = {
    ...{ forward: least(passes, "wall"), forwardCpu: least(passes, "cpu") },
    ...(steps.length > 0 && { mezo: leastStep(steps) }),
    ...{ products: productsInUse(halfKind(request)), peakBytes: peakBytes() },
  };
  for (const part of [training, network]) part.dispose();
  return result;
}

/** The language-model loss of a token after each of the rows, which are all of one length. */
function objectiveOf(network: Network, { rows, tokens }: BackendCase): Objective {
  const vocabulary = network.head.weight.shape[0]!;
  const ids = (row: number): number[] =>
    Array.from({ length: tokens }, (_, i) => ((row * tokens + i) * 7919) % vocabulary);
  const batch = packBatch(Array.from({ length: rows }, (_, row) => ids(row)));
  const body = (): tf.Tensor => lossesOf(network, batch);
  const mean = (losses: Float32Array): number => -losses.reduce((a, b) => a + b, 0) / rows;
  return {
    value: async () => {
      const losses = body();
      const values = await losses.data<"float32">();
      losses.dispose();
      return mean(values);
    },
    pair: (theta: readonly Parameter[], shift) =>
      pairwise(theta, shift, async (sides) => {
        const losses = body();
        const { plus, minus } = await sides(losses);
        losses.dispose();
        return { lossPlus: mean(plus), lossMinus: mean(minus) };
      }),
  };
}

function lossesOf(network: Network, batch: TokenBatch): tf.Tensor {
  return tf.tidy(() => {
    const { weight, bias } = network.head;
    const answers = tf.tensor1d(
      Int32Array.from(batch.lengths, (_, row) => row),
      "int32",
    );
    return tokenLogProbs(features(network, batch, lastTokens(batch)), weight, answers, bias);
  });
}

/** Seconds of a MeZO step, and of what in it forms both sides and moves theta. */
export type StepSeconds = Readonly<Record<"step" | "sides" | "update", number>>;

/** Times a step, and in it the backend's forming of sides and moving of theta. */
async function timeStep(work: () => Promise<void>): Promise<StepSeconds> {
  const own = storage();
  const taken = { sides: 0, move: 0 };
  const timed =
    <Given extends unknown[], R>(name: keyof typeof taken, run: (...given: Given) => R) =>
    (...given: Given): R => {
      const started = performance.now();
      try {
        return run(...given);
      } finally {
        taken[name] += (performance.now() - started) / 1e3;
      }
    };
  const { sides, move } = own;
  Object.assign(own, { sides: timed("sides", sides), move: timed("move", move) });
  const { wall: step } = await seconds(work);
  Object.assign(own, { sides, move });
  return { step, sides: taken.sides, update: taken.move };
}

/** Does something once to warm up and then so many times; nothing at all where that is 0. */
async function repeat<T>(times: number, work: (index: number) => Promise<T>): Promise<T[]> {
  const found: T[] = [];
  if (times > 0) for (let i = 0; i <= times; i++) found.push(await work(i));
  return found.slice(1);
}

const least = <Name extends string>(of: readonly Readonly<Record<Name, number>>[], name: Name): number =>
  Math.min(...of.map((one) => one[name]));

/** Of each part the least of several steps. */
export const leastStep = (steps: readonly StepSeconds[]): StepSeconds => ({
  step: least(steps, "step"),
  sides: least(steps, "sides"),
  update: least(steps, "update"),
});

/** Seconds by the clock, and of all cores together. */
async function seconds(work: () => Promise<void>): Promise<Readonly<Record<"wall" | "cpu", number>>> {
  const [started, before] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(before);
  return { wall: (performance.now() - started) / 1e3, cpu: (user + system) / 1e6 };
}
