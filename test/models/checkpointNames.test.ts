import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { writeSafetensors } from "../../src/checkpoints/write.ts";
import {
  largestDifference,
  loadOracle,
  ORACLES,
  type Oracle,
  type StoredWeight,
  weightsOf,
} from "./oracles/families.ts";

const oracle = (family: string, name: string): Oracle =>
  ORACLES.find((one) => one.family === family && one.name.startsWith(name))!;

/** A tensor of ones, which no network uses. */
const idle = (name: string, ...shape: number[]): StoredWeight => {
  const size = shape.reduce((product, length) => product * length, 1);
  return { name, shape, data: new Float32Array(size).fill(1) };
};

/** The difference from the oracle of a model whose checkpoint is changed. */
async function differenceOf(one: Oracle, change: (weights: StoredWeight[]) => StoredWeight[]): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "names-"));
  writeFileSync(join(folder, "config.json"), JSON.stringify(one.config));
  writeSafetensors(join(folder, "model.safetensors"), change(weightsOf(one)), { dtype: "F32" });
  const network = await loadOracle(folder);
  try {
    return await largestDifference(network, one);
  } finally {
    network.dispose();
  }
}

const renamed =
  (change: (name: string) => string) =>
  (weights: StoredWeight[]): StoredWeight[] =>
    weights.map((weight) => ({ ...weight, name: change(weight.name) }));

describe("a checkpoint that names its weights otherwise gives the same logits", () => {
  test("GPT-2's as it was released: without a prefix, with its masks as buffers", async () => {
    const released = (weights: StoredWeight[]): StoredWeight[] => [
      ...renamed((name) => name.replace(/^transformer\./, ""))(weights),
      ...[idle("h.0.attn.bias", 1, 1, 32, 32), idle("h.1.attn.masked_bias", 1)],
    ];
    expect(await differenceOf(oracle("gpt2", "tied"), released)).toBeLessThan(1e-4);
  });

  test("a BERT's as it was released: gamma and beta, a pooler, the head for the next sentence, the tied matrix twice", async () => {
    const released = (weights: StoredWeight[]): StoredWeight[] => {
      const words = weights.find(({ name }) => name.endsWith("word_embeddings.weight"))!;
      const older = renamed((name) =>
        name.replace(/LayerNorm\.weight$/, "LayerNorm.gamma").replace(/LayerNorm\.bias$/, "LayerNorm.beta"),
      )(weights);
      return [
        ...older,
        ...[idle("bert.pooler.dense.weight", 16, 16), idle("bert.pooler.dense.bias", 16)],
        ...[idle("cls.seq_relationship.weight", 2, 16), idle("cls.seq_relationship.bias", 2)],
        ...[idle("bert.embeddings.position_ids", 1, 32), { ...words, name: "cls.predictions.decoder.weight" }],
      ];
    };
    expect(await differenceOf(oracle("bert", "tied"), released)).toBeLessThan(1e-4);
  });

  test.each(["bert", "roberta"])(
    "an untied %s's bias by its other name, which goes before the usual one",
    async (family) => {
      const one = oracle(family, "untied");
      const bias = family === "bert" ? "cls.predictions.bias" : "lm_head.bias";
      const other = bias.replace("bias", "decoder.bias");
      const moved = renamed((name) => (name === bias ? other : name));
      expect(await differenceOf(one, moved)).toBeLessThan(1e-4);
      expect(await differenceOf(one, (weights) => [idle(bias, 19), ...moved(weights)])).toBeLessThan(1e-4);
      expect(await differenceOf(one, (weights) => [...moved(weights), idle(bias, 19)])).toBeLessThan(1e-4);
    },
  );

  test.each(["mistral", "qwen2", "qwen3"])("a %s's decoder alone, with the buffer of its positions", async (family) => {
    const alone = (weights: StoredWeight[]): StoredWeight[] => [
      ...renamed((name) => name.replace(/^model\./, ""))(weights),
      idle("layers.0.self_attn.rotary_emb.inv_freq", 2),
    ];
    const one = ORACLES.find((each) => each.family === family)!;
    expect(await differenceOf(one, alone)).toBeLessThan(1e-4);
  });

  test("GPT-2's linear maps as [out, in] are refused by their shapes", async () => {
    const turned = (weights: StoredWeight[]): StoredWeight[] =>
      weights.map((weight) =>
        weight.name.endsWith("c_attn.weight") ? { ...weight, shape: weight.shape.toReversed() } : weight,
      );
    await expect(differenceOf(oracle("gpt2", "tied"), turned)).rejects.toThrow(
      /2 misshapen \(transformer.h.0.attn.c_attn.weight is \[16,48\] instead of \[48,16\]/,
    );
  });
});
