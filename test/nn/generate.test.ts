import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { linear } from "../../src/kernels/linear.ts";
import { packBatch } from "../../src/nn/batch.ts";
import { generateIds } from "../../src/nn/generate.ts";
import type { Network } from "../../src/nn/network.ts";
import { features } from "../../src/nn/run.ts";
import { setValues, takeValues, valuesOf } from "../values.ts";
import { CONFIGS, free, type TinyNetwork, tinyAdaptation, tinyNetwork } from "./networks.ts";

const PROMPTS = [[1, 4, 5, 6, 7], [1], [1, 9, 10], [2, 3, 4]].map((ids) => Int32Array.from(ids));

/** The likeliest next token, the whole text run again. */
async function nextOf(network: Network, ids: readonly number[]): Promise<number> {
  const { weight } = network.head;
  const next = tf.tidy(() => {
    const logits = linear(features(network, packBatch([ids]), [ids.length - 1]), weight);
    return tf.argMax(logits, -1);
  });
  return (await takeValues(next))[0]!;
}

/** Greedy decoding as its definition has it. */
async function decode(network: Network, prompt: Int32Array, count: number): Promise<number[]> {
  const ids = [...prompt];
  while (ids.length < prompt.length + count) ids.push(await nextOf(network, ids));
  return ids.slice(prompt.length);
}

/** The network with large embeddings and an output matrix of its own: else random weights repeat one token for ever. */
async function talkative({ network, parameters }: TinyNetwork): Promise<TinyNetwork> {
  for (const { name, value } of parameters)
    if (name.includes("embed_"))
      setValues(
        value,
        (await valuesOf(value)).map((v) => 6 * v),
      );
  const weight = tf.randomNormal(network.head.weight.shape, 0, 1, "float32", 5);
  return { network: { ...network, head: { weight } }, parameters: [...parameters, { name: "head", value: weight }] };
}

describe.each(Object.entries(CONFIGS).filter(([name]) => !["roberta", "bert"].includes(name)))(
  "greedy decoding of %s",
  (_name, config) => {
    test.each(["itself", "adapted"])("%s: gives what decoding without a cache gives", async (kind) => {
      const plain = await talkative(tinyNetwork(config));
      const adapted = kind === "itself" ? { ...plain, parameters: [] } : tinyAdaptation(plain);
      const want = await Promise.all(PROMPTS.map((prompt) => decode(adapted.network, prompt, 12)));
      expect(await generateIds(adapted.network, PROMPTS, { maxNewTokens: 12 })).toEqual(want);
      expect(new Set(want.flat()).size).toBeGreaterThan(2);
      free([...plain.parameters, ...adapted.parameters]);
    });
  },
);

describe("greedy decoding", () => {
  const { llama, roberta } = CONFIGS as { llama: object; roberta: object };

  test("ends each sequence at its own stop, whose token stays, and at an end token, which does not", async () => {
    const { network, parameters } = tinyNetwork({ ...llama });
    const free12 = await generateIds(network, PROMPTS, { maxNewTokens: 12 });
    const stopped = await generateIds(network, PROMPTS, {
      maxNewTokens: 12,
      stop: (ids) => ids.length === 1 + (ids[0]! % 5),
    });
    expect(stopped).toEqual(free12.map((ids) => ids.slice(0, 1 + (ids[0]! % 5))));
    const end = free12[0]![3]!;
    for (const ends of [[end], [end, free12[1]![5]!]]) {
      const ended = await generateIds(network, PROMPTS, { maxNewTokens: 12, ends });
      const last = (ids: readonly number[]): number => ids.findIndex((id) => ends.includes(id));
      expect(ended).toEqual(free12.map((ids) => (last(ids) < 0 ? ids : ids.slice(0, last(ids)))));
    }
    expect(await generateIds(network, PROMPTS, { maxNewTokens: 0 })).toEqual([[], [], [], []]);
    expect(await generateIds(network, [], { maxNewTokens: 3 })).toEqual([]);
    free(parameters);
  });

  test("leaves nothing behind where the stop throws", async () => {
    const { network, parameters } = tinyNetwork({ ...llama });
    const stop = (): boolean => {
      throw new Error("no text");
    };
    await expect(generateIds(network, PROMPTS, { maxNewTokens: 3, stop })).rejects.toThrow("no text");
    free(parameters);
  });

  test("fills the model's length to its last token and refuses more, empty prompts and masked models", async () => {
    const { network, parameters } = tinyNetwork({ ...llama });
    const [ids] = await generateIds(network, [Int32Array.of(1, 2)], { maxNewTokens: 30 });
    expect(ids).toHaveLength(30);
    await expect(generateIds(network, [Int32Array.of(1, 2)], { maxNewTokens: 31 })).rejects.toThrow(
      /31 new tokens after a prompt of 2 were asked for, but the model reads 32/,
    );
    await expect(generateIds(network, [new Int32Array(0)], { maxNewTokens: 1 })).rejects.toThrow(/without tokens/);
    const masked = tinyNetwork({ ...roberta });
    await expect(generateIds(masked.network, PROMPTS, { maxNewTokens: 1 })).rejects.toThrow(/masked model/);
    free([...parameters, ...masked.parameters]);
  });
});
