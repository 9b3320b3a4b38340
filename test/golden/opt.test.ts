import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { linear } from "../../src/kernels/linear.ts";
import { tokenLogProbs } from "../../src/kernels/tokenLogProbs.ts";
import { candidatePasses } from "../../src/loss/candidates.ts";
import { computeLoss } from "../../src/loss/loss.ts";
import { runPasses } from "../../src/loss/passes.ts";
import type { LoadedNetwork } from "../../src/models/network.ts";
import { lastTokens, packBatch } from "../../src/nn/batch.ts";
import { checkpointedGradient, plainGradient } from "../../src/nn/gradient.ts";
import { features } from "../../src/nn/run.ts";
import type { EncodedExample } from "../../src/text/prompt.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { needs, shared } from "../shared.ts";
import { takeValues } from "../values.ts";
import { expectGradients, expectStep, expectWeights, givenNoise } from "./expect.ts";
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
async function logitsError(network: LoadedNetwork, { input_ids, attention_mask, logits_f64 }: Case): Promise<number> {
  const batch = packBatch(input_ids.map((ids, i) => real(ids, attention_mask[i]!)));
  const want = logits_f64.flatMap((row, i) => row.filter((_, j) => attention_mask[i]![j] === 1)).flat();
  const got = await takeValues(
    tf.tidy(() => linear(features(network, batch, [...batch.ids.keys()]), network.head.weight)),
  );
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
  gold: losses.input_ids.map(() => [0]),
  texts: [],
  begin: "mezo" as const,
});

describe.each(["opt-tiny", "opt-postln-tiny"])(
  `%s against float64 PyTorch${absent ? `: skipped, ${needs(FILE)}` : ""}`,
  (name) => {
    test.skipIf(absent)("logits of every case", async () => {
      const network = goldenNetwork(`${name}.safetensors`, `${name}.config.json`);
      for (const c of expected(name).cases as Case[])
        expect(await logitsError(network, c), c.name).toBeLessThan(TOLERANCE);
      network.dispose();
    });
  },
);

describe(`opt-tiny against float64 PyTorch${absent ? `: skipped, ${needs(FILE)}` : ""}`, () => {
  const load = (): LoadedNetwork => goldenNetwork(expected("opt-tiny").checkpoint, expected("opt-tiny").config);

  test.skipIf(absent).each(["f16", "bf16"])(
    "logits of the %s checkpoint, under the names that it has",
    async (dtype) => {
      const { cases, config, [dtype]: half } = expected("opt-tiny");
      const network = goldenNetwork(half.checkpoint, config);
      const base = (cases as Case[]).find((c) => c.name === half.case)!;
      expect(await logitsError(network, { ...base, logits_f64: half.logits_f64 })).toBeLessThan(TOLERANCE);
      network.dispose();
    },
  );

  test.skipIf(absent)(
    "losses: of the authors' classification and of teacher forcing, and the candidates' scores",
    async () => {
      const losses = expected("opt-tiny").losses as Losses;
      const network = load();
      const examples = examplesOf(losses);
      const gold = examples.map((_, i) => [losses.labels[i * losses.num_options]!]);
      expect(
        await computeLoss("candidates", network, { examples, gold, texts: [], begin: "mezo" as const }),
      ).toBeCloseTo(losses.f64.cls_loss, 5);
      expect(await computeLoss("answer", network, everyRow(losses))).toBeCloseTo(losses.f64.lm_loss, 5);
      const scores = (await runPasses(network, candidatePasses(examples))).flat();
      losses.f64.option_logprob_mean.forEach((want, i) => expect(scores[i]).toBeCloseTo(want, 4));
      network.dispose();
    },
  );

  test.skipIf(absent).each([
    ["at once", plainGradient],
    ["layer by layer", checkpointedGradient],
  ])("gradient of the language-model loss in every weight, by backpropagation %s", async (_how, differentiate) => {
    const losses = expected("opt-tiny").losses as Losses;
    const network = load();
    const ids = losses.input_ids.map((row, i) => real(row, losses.attention_mask[i]!));
    const batch = packBatch(ids.map((row) => row.slice(0, -1)));
    const ends = lastTokens(batch);
    const rows = losses.option_len.flatMap((k, i) => Array.from({ length: k }, (_, j) => ends[i]! - k + 1 + j));
    const targets = losses.option_len.flatMap((k, i) => ids[i]!.slice(-k));
    const tail = (seen: tf.Tensor2D): tf.Scalar =>
      tf.neg(tf.mean(tokenLogProbs(seen, network.head.weight, tf.tensor1d(targets, "int32"))));
    const { loss, gradients } = await differentiate(network, batch, rows, tail, network.parameters);
    expect(loss).toBeCloseTo(losses.f64.lm_loss, 5);
    await expectGradients("opt-tiny", network, gradients);
    network.dispose();
  });

  test.skipIf(absent)("three MeZO steps with z given: losses, projected gradients and every weight after", async () => {
    const { losses, mezo_lm: want } = expected("opt-tiny");
    const network = load();
    const tuner = mezo({ lr: want.lr, eps: want.eps, weightDecay: want.weight_decay, noise: givenNoise(want.z_file) });
    const training = tuner.begin(network.parameters);
    const objective = { value: () => computeLoss("answer", network, everyRow(losses)) };
    for (const [step, { loss_plus, loss_minus, projected_grad }] of want.f64.steps.entries()) {
      const result = await training.step(objective, { seed: 0, step, total: 3 });
      expectStep(result, { loss_plus, loss_minus, projected_grad });
    }
    expect(Math.abs((await objective.value()) - want.f64.loss_after)).toBeLessThan(1e-4);
    await expectWeights(network, want.f64.params_after);
    training.dispose();
    network.dispose();
  });
});
