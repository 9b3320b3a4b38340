import * as tf from "@tensorflow/tfjs";
import type { LabelledBatch } from "../experiment/encode.ts";
import { answerLoss } from "../experiment/losses.ts";
import { peakBytes } from "../experiment/memory.ts";
import type { Config } from "../models/family.ts";
import { opt } from "../models/opt.ts";
import { useBackend } from "../tensor/backend.ts";
import { secondsInGraphs } from "../tensor/native/session.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { gaussian, type Perturb, rademacher } from "../tensor/perturb.ts";
import { fillValues } from "../tensor/writeValues.ts";
import { mezo } from "../tuners/mezo.ts";
import { median } from "./median.ts";

/** The shape of OPT-125M (Zhang et al. 2022). */
const OPT_125M: Config = {
  vocab_size: 50272,
  hidden_size: 768,
  num_hidden_layers: 12,
  ffn_dim: 3072,
  num_attention_heads: 12,
  max_position_embeddings: 2048,
};

/** What is measured: rows and tokens a row, steps, threads, and the law of z. */
export interface BenchRequest {
  readonly rows: number;
  readonly tokens: number;
  readonly steps: number;
  readonly threads: number;
  readonly noise: "gaussian" | "rademacher";
}

/** Medians over the steps, in seconds, the peak memory of the process, and the work that one step's forward passes had to do. */
export interface BenchResult {
  readonly stepSeconds: number;
  readonly forwardSeconds: number;
  readonly sweepSeconds: number;
  readonly forwardGflop: number;
  /** Share of the forward passes' time that was spent inside ONNX Runtime. */
  readonly inGraphs: number;
  readonly peakBytes: number;
}

/** Weights of OPT-125M's shape: 0.02 times a normal, the norms' gains 1. */
function randomWeights(): Parameter[] {
  const parameters = [...opt.shapes(OPT_125M)].map(([name, shape]) => ({
    name,
    value: tf.zeros([...shape]) as tf.Tensor,
  }));
  gaussian(parameters, 0.02, { seed: 7, step: 0 });
  const norms = parameters.filter(({ name }) => name.endsWith("norm.weight"));
  for (const { value } of norms) fillValues(value, (values) => values.fill(1));
  return parameters;
}

/** Rows of arbitrary tokens whose last one is the answer: the authors' language-model loss on it. */
function randomBatch({ rows, tokens }: BenchRequest): LabelledBatch {
  const ids = (row: number): Int32Array =>
    Int32Array.from({ length: tokens }, (_, i) => ((row * tokens + i) * 7919) % 50000);
  const examples = Array.from({ length: rows }, (_, row) => ({ candidates: [{ ids: ids(row), optionLength: 1 }] }));
  return { examples, gold: examples.map(() => [0]), texts: [], begin: "mezo" };
}

/** Multiplications and additions, in billions, of the two passes of a step: products of the layers, attention (the causal half) and answers' logits. */
function forwardGflop({ rows, tokens: t }: BenchRequest): number {
  const { hidden_size: d, ffn_dim: f, num_hidden_layers: layers, vocab_size: v } = OPT_125M as Record<string, number>;
  const perToken = 2 * (4 * d! * d! + 2 * d! * f!);
  const length = t - 1;
  return (2 * rows * (layers! * (length * perToken + 2 * length * length * d!) + 2 * d! * v!)) / 1e9;
}

/** Measures MeZO steps on an OPT-125M shape with random weights, after one step to warm up. */
export async function benchStep(request: BenchRequest): Promise<BenchResult> {
  await useBackend("native", request.threads);
  const parameters = randomWeights();
  const byName = new Map(parameters.map(({ name, value }) => [name, value]));
  const network = opt.build(OPT_125M, (name) => byName.get(name)!);
  const batch = randomBatch(request);
  const spent = { forward: [] as number[], sweep: [] as number[], step: [] as number[] };
  const noise = { gaussian, rademacher }[request.noise];
  const timedNoise: Perturb = (...args) => timed(spent.sweep, () => noise(...args));
  const objective = { value: () => timedLater(spent.forward, () => answerLoss(network, batch)) };
  const training = mezo({ lr: 1e-7, eps: 1e-3, noise: timedNoise }).begin(parameters);
  let before = 0;
  for (let step = 0; step <= request.steps; step++) {
    if (step === 1) {
      for (const list of Object.values(spent)) list.length = 0;
      before = secondsInGraphs();
    }
    const started = performance.now();
    await training.step(objective, { seed: 1, step, total: request.steps });
    spent.step.push((performance.now() - started) / 1e3);
  }
  return {
    stepSeconds: median(spent.step),
    forwardSeconds: 2 * median(spent.forward),
    sweepSeconds: 3 * median(spent.sweep),
    forwardGflop: forwardGflop(request),
    inGraphs: (secondsInGraphs() - before) / spent.forward.reduce((a, b) => a + b, 0),
    peakBytes: peakBytes(),
  };
}

function timed<T>(into: number[], work: () => T): T {
  const started = performance.now();
  const result = work();
  into.push((performance.now() - started) / 1e3);
  return result;
}

async function timedLater<T>(into: number[], work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  const result = await work();
  into.push((performance.now() - started) / 1e3);
  return result;
}
