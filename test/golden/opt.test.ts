import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { openSafetensors, readTensor } from "../../src/checkpoints/safetensors.ts";
import { answerLoss, candidateScores, classificationLoss } from "../../src/experiment/losses.ts";
import { embed } from "../../src/kernels/embed.ts";
import { linear } from "../../src/kernels/linear.ts";
import { tokenLogProbs } from "../../src/kernels/tokenLogProbs.ts";
import type { LoadedNetwork } from "../../src/models/network.ts";
import { lastTokens, packBatch } from "../../src/nn/batch.ts";
import { viewOf } from "../../src/tensor/native/backend.ts";
import type { Perturb } from "../../src/tensor/perturb.ts";
import type { EncodedExample } from "../../src/text/prompt.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { needs, shared } from "../shared.ts";
import { goldenNetwork } from "./folder.ts";

interface Case {
  readonly name: string;
  readonly input_ids: number[][];
  readonly attention_mask: number[][];
  readonly logits_f64: number[][][];
}

interface Losses {
  readonly input_ids: number[][];
  readonly attention_mask: number[][];
  readonly option_len: number[];
  readonly labels: number[];
  readonly num_options: number;
  readonly f64: { lm_loss: number; cls_loss: number; option_logprob_mean: number[] };
}

const FILE = "golden/opt-tiny.expected.json";
const absent = shared(FILE) === undefined;
const TOLERANCE = 5e-5;
const expected = (name: string) => JSON.parse(readFileSync(shared(`golden/${name}.expected.json`)!, "utf8"));

/** The real tokens of a row. */
const real = (ids: readonly number[], mask: readonly number[]): number[] => ids.filter((_, i) => mask[i] === 1);

/** Largest difference between the logits of every real token and the expected ones. */
function logitsError(network: LoadedNetwork, { input_ids, attention_mask, logits_f64 }: Case): number {
  const batch = packBatch(input_ids.map((ids, i) => real(ids, attention_mask[i]!)));
  const want = logits_f64.flatMap((row, i) => row.filter((_, j) => attention_mask[i]![j] === 1)).flat();
  const got = tf.tidy(() => linear(network.features(batch), network.head).dataSync());
  expect(got.length).toBe(want.length);
  return want.reduce((worst, v, i) => Math.max(worst, Math.abs(v - got[i]!)), 0);
}

/** Rows of the authors' kind, one per candidate, as encoded examples. */
function examplesOf({ input_ids, attention_mask, option_len, num_options }: Losses): EncodedExample[] {
  const rows = input_ids.map((ids, i) => ({
    ids: Int32Array.from(real(ids, attention_mask[i]!)),
    optionLength: option_len[i]!,
  }));
  return Array.from({ length: rows.length / num_options }, (_, i) => ({
    candidates: rows.slice(i * num_options, (i + 1) * num_options),
  }));
}

/** Every row as an example of its own, whose answer is right: what the authors' language-model loss averages over. */
const everyRow = (losses: Losses) => ({
  examples: examplesOf({ ...losses, num_options: 1 }),
  gold: losses.input_ids.map(() => 0),
});

describe.each(["opt-tiny", "opt-postln-tiny"])(
  `%s against float64 PyTorch${absent ? `: skipped, ${needs(FILE)}` : ""}`,
  (name) => {
    test.skipIf(absent)("logits of every case", () => {
      const network = goldenNetwork(`${name}.safetensors`, `${name}.config.json`);
      for (const c of expected(name).cases as Case[]) expect(logitsError(network, c), c.name).toBeLessThan(TOLERANCE);
      network.dispose();
    });
  },
);

describe(`opt-tiny against float64 PyTorch${absent ? `: skipped, ${needs(FILE)}` : ""}`, () => {
  const load = (): LoadedNetwork => goldenNetwork(expected("opt-tiny").checkpoint, expected("opt-tiny").config);

  test.skipIf(absent).each(["f16", "bf16"])("logits of the %s checkpoint, under the names that it has", (dtype) => {
    const { cases, config, [dtype]: half } = expected("opt-tiny");
    const network = goldenNetwork(half.checkpoint, config);
    const base = (cases as Case[]).find((c) => c.name === half.case)!;
    expect(logitsError(network, { ...base, logits_f64: half.logits_f64 })).toBeLessThan(TOLERANCE);
    network.dispose();
  });

  test.skipIf(absent)(
    "losses: of the authors' classification and of teacher forcing, and the candidates' scores",
    () => {
      const losses = expected("opt-tiny").losses as Losses;
      const network = load();
      const examples = examplesOf(losses);
      const gold = examples.map((_, i) => losses.labels[i * losses.num_options]!);
      expect(classificationLoss(network, { examples, gold })).toBeCloseTo(losses.f64.cls_loss, 5);
      expect(answerLoss(network, everyRow(losses))).toBeCloseTo(losses.f64.lm_loss, 5);
      const scores = candidateScores(network, examples).flat();
      losses.f64.option_logprob_mean.forEach((want, i) => expect(scores[i]).toBeCloseTo(want, 4));
      network.dispose();
    },
  );

  test.skipIf(absent)(
    "gradient of the language-model loss in every weight, by TensorFlow.js's autodiff over the same model",
    () => {
      const losses = expected("opt-tiny").losses as Losses;
      const file = openSafetensors(shared("golden/opt-tiny-grad-f64.safetensors")!);
      const network = load();
      const gradients = tf.tidy(() => {
        const rows = losses.input_ids.map((ids, i) => real(ids, losses.attention_mask[i]!));
        const batch = packBatch(rows.map((ids) => ids.slice(0, -1)));
        const ends = lastTokens(batch);
        const at = losses.option_len.flatMap((k, i) => Array.from({ length: k }, (_, j) => ends[i]! - k + 1 + j));
        const targets = losses.option_len.flatMap((k, i) => rows[i]!.slice(-k));
        const loss = (): tf.Scalar => {
          const features = embed(tf.tensor1d(at, "int32"), network.features(batch));
          return tf.neg(tf.mean(tokenLogProbs(features, network.head, tf.tensor1d(targets, "int32"))));
        };
        const values = network.parameters.map(({ value }) => value);
        return tf
          .grads(loss)(values)
          .map((g) => Array.from(g.dataSync()));
      }) as unknown as number[][];
      let largest = 0;
      network.parameters.forEach(({ name }, i) => {
        const want = readF64(file.path, file.tensors.get(name)!);
        const worst = want.reduce((m, v, j) => Math.max(m, Math.abs(v - gradients[i]![j]!)), 0);
        expect(worst, name).toBeLessThan(1e-4);
        largest = Math.max(largest, ...want.map(Math.abs));
      });
      expect(largest).toBeGreaterThan(1e-2);
      network.dispose();
    },
  );

  test.skipIf(absent)("three MeZO steps with z given: losses, projected gradients and every weight after", async () => {
    const { losses, mezo_lm: want } = expected("opt-tiny");
    const z = openSafetensors(shared(`golden/${want.z_file}`)!);
    const given: Perturb = (theta, scale, { step }, keep = 1) => {
      for (const { name, value } of theta) {
        const values = viewOf(value).values;
        readTensor(z, `step${step}.${name}`).forEach((v, i) => {
          values[i] = values[i]! * keep + scale * v;
        });
      }
    };
    const network = load();
    const tuner = mezo({ lr: want.lr, eps: want.eps, weightDecay: want.weight_decay, noise: given });
    const objective = (): number => answerLoss(network, everyRow(losses));
    for (const [step, { loss_plus, loss_minus, projected_grad }] of want.f64.steps.entries()) {
      const result = await tuner.step(network.parameters, objective, { seed: 0, step, total: 3 });
      expect(Math.abs(result.lossPlus - loss_plus)).toBeLessThan(1e-4);
      expect(Math.abs(result.lossMinus - loss_minus)).toBeLessThan(1e-4);
      expect(Math.abs(result.projectedGrad - projected_grad)).toBeLessThan(5e-3 + 2e-3 * Math.abs(projected_grad));
    }
    expect(Math.abs(objective() - want.f64.loss_after)).toBeLessThan(1e-4);
    for (const { name, value } of network.parameters) {
      const after = want.f64.params_after[name];
      const values = [...viewOf(value).values];
      after.head.forEach((v: number, i: number) => expect(Math.abs(values[i]! - v), name).toBeLessThan(1e-4));
      expect(Math.abs(Math.hypot(...values) - after.l2), name).toBeLessThan(1e-3);
    }
    network.dispose();
  });
});

/** A float64 tensor, which the kit has no other use for. */
function readF64(path: string, { byteOffset, byteLength }: { byteOffset: number; byteLength: number }): number[] {
  const bytes = readFileSync(path).subarray(byteOffset, byteOffset + byteLength);
  return Array.from({ length: byteLength / 8 }, (_, i) => bytes.readDoubleLE(8 * i));
}
