import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { linear } from "../../src/kernels/linear.ts";
import { computeLoss } from "../../src/loss/loss.ts";
import type { LoadedNetwork } from "../../src/models/network.ts";
import { packBatch } from "../../src/nn/batch.ts";
import { checkpointedGradient, plainGradient } from "../../src/nn/gradient.ts";
import { features } from "../../src/nn/run.ts";
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

const FILE = "golden/roberta-tiny.expected.json";
const absent = shared(FILE) === undefined;
const expected = () => JSON.parse(readFileSync(shared(FILE)!, "utf8"));
const load = (): LoadedNetwork => goldenNetwork(expected().checkpoint, expected().config);

/** The real tokens of each row of a case. */
const sequences = ({ input_ids, attention_mask }: Case): number[][] =>
  input_ids.map((ids, i) => ids.filter((_, j) => attention_mask[i]![j] === 1));

const logitsOf = (network: LoadedNetwork, rows: number[][]): Promise<number[]> => {
  const batch = packBatch(rows);
  const { weight, bias } = network.head;
  return takeValues(tf.tidy(() => linear(features(network, batch, [...batch.ids.keys()]), weight, { bias: bias! })));
};

/** The masked prompts of the golden loss, as the kit encodes such examples, and what is right. */
function prompts() {
  const { cases, prompt_loss: want } = expected();
  const rows = sequences((cases as Case[]).find(({ name }) => name === want.case)!);
  const examples = rows.map((ids, i) => ({
    candidates: [],
    shared: { ids: Int32Array.from(ids), at: want.mask_pos[i] as number, answers: want.label_words as number[] },
  }));
  return {
    examples,
    gold: (want.labels as number[]).map((label) => [label]),
    texts: [],
    begin: "mezo" as const,
    rows,
    want,
  };
}

describe(`roberta-tiny against float64 PyTorch${absent ? `: skipped, ${needs(FILE)}` : ""}`, () => {
  test.skipIf(absent)("logits of every token of every case", async () => {
    const network = load();
    for (const c of expected().cases as Case[]) {
      const got = await logitsOf(network, sequences(c));
      const want = c.logits_f64.flatMap((row, i) => row.filter((_, j) => c.attention_mask[i]![j] === 1)).flat();
      expect(got.length).toBe(want.length);
      expect(Math.max(...want.map((v, i) => Math.abs(v - got[i]!))), c.name).toBeLessThan(5e-5);
    }
    network.dispose();
  });

  test.skipIf(absent)("loss over the label words at the mask", async () => {
    const network = load();
    const { want, ...batch } = prompts();
    expect(await computeLoss("candidates", network, batch)).toBeCloseTo(want.f64, 5);
    network.dispose();
  });

  test.skipIf(absent).each([
    ["at once", plainGradient],
    ["layer by layer", checkpointedGradient],
  ])("gradient of that loss in every weight, by backpropagation %s", async (_how, differentiate) => {
    const network = load();
    const { rows: ids, want } = prompts();
    const batch = packBatch(ids);
    const starts = ids.map((_, i) => ids.slice(0, i).flat().length);
    const rows = starts.map((start, i) => start + want.mask_pos[i]);
    const tail = (seen: tf.Tensor2D): tf.Scalar => {
      const words = tf.tensor1d(want.label_words as number[], "int32");
      const { weight, bias } = network.head;
      const logits = linear(seen, tf.gather(weight, words), { bias: tf.gather(bias!, words) });
      const right = tf.oneHot(tf.tensor1d(want.labels as number[], "int32"), 2);
      return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), right), -1))) as tf.Scalar;
    };
    const { loss, gradients } = await differentiate(network, batch, rows, tail, network.parameters);
    expect(loss).toBeCloseTo(want.f64, 5);
    await expectGradients("roberta-tiny", network, gradients);
    network.dispose();
  });

  test.skipIf(absent)("three MeZO steps with z given: losses, projected gradients and every weight after", async () => {
    const { mezo_prompt: want } = expected();
    const network = load();
    const noise = givenNoise(want.z_file);
    const training = mezo({ lr: want.lr, eps: want.eps, weightDecay: want.weight_decay, noise }).begin(
      network.parameters,
    );
    const objective = { value: () => computeLoss("candidates", network, prompts()) };
    for (const [step, values] of want.f64.steps.entries())
      expectStep(await training.step(objective, { seed: 0, step, total: 3 }), values);
    expect(Math.abs((await objective.value()) - want.f64.loss_after)).toBeLessThan(1e-4);
    await expectWeights(network, want.f64.params_after);
    training.dispose();
    network.dispose();
  });
});
