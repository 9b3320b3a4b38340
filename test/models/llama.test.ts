import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { openCheckpoint } from "../../src/checkpoints/folder.ts";
import { linear } from "../../src/kernels/linear.ts";
import type { Config } from "../../src/models/config.ts";
import { llama } from "../../src/models/llama.ts";
import { loadNetwork } from "../../src/models/network.ts";
import { packBatch } from "../../src/nn/batch.ts";
import { generateIds } from "../../src/nn/generate.ts";
import type { Network } from "../../src/nn/network.ts";
import { features } from "../../src/nn/run.ts";
import { CONFIGS, free, tinyNetwork } from "../nn/networks.ts";
import { needs, shared } from "../shared.ts";
import { allValues, takeRows } from "../values.ts";
import { plainLlama } from "./plainLlama.ts";

const logitsOf = (network: Network, ids: readonly number[]): Promise<number[][]> =>
  takeRows(tf.tidy(() => linear(features(network, packBatch([ids]), [...ids.keys()]), network.head.weight)));

const variants: Readonly<Record<string, Config>> = {
  "an untied head and queries that share keys": CONFIGS.llama!,
  "a tied head and biases": CONFIGS["llama with a tied head and biases"]!,
  "heads wider than their share": { ...CONFIGS.llama, head_dim: 6, num_key_value_heads: 1 },
  "rotary positions scaled as Llama 3.1's": {
    ...CONFIGS.llama,
    ...{ head_dim: 12, rope_theta: 500 },
    rope_scaling: {
      ...{ rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4 },
      original_max_position_embeddings: 64,
    },
  },
};

describe("a Llama in plain loops", () => {
  test.each(Object.entries(variants))("has the same logits as the network: %s", async (_name, config) => {
    const { network, parameters } = tinyNetwork(config);
    const ids = [1, 5, 9, 18, 2, 2, 0, 7];
    const values = await allValues(parameters.map(({ value }) => value));
    const want = plainLlama(config, new Map(parameters.map(({ name }, i) => [name, [...values[i]!]])), ids);
    const got = await logitsOf(network, ids);
    want.forEach((row, i) => row.forEach((v, j) => expect(got[i]![j]).toBeCloseTo(v, 4)));
    expect(Math.max(...want.flat())).toBeGreaterThan(0.5);
    free(parameters);
  });
});

describe("the Llama family", () => {
  test("takes theta from either place in which configs keep it", async () => {
    const older = tinyNetwork({ ...CONFIGS.llama, rope_theta: 50 });
    const newer = tinyNetwork({ ...CONFIGS.llama, rope_parameters: { rope_theta: 50, rope_type: "default" } });
    const plain = tinyNetwork(CONFIGS.llama!);
    expect(await logitsOf(newer.network, [1, 2, 3])).toEqual(await logitsOf(older.network, [1, 2, 3]));
    expect(await logitsOf(newer.network, [1, 2, 3])).not.toEqual(await logitsOf(plain.network, [1, 2, 3]));
    free([...older.parameters, ...newer.parameters, ...plain.parameters]);
  });

  test("leaves positions as they are where the scaling that a config names is the default one", async () => {
    const plain = tinyNetwork(CONFIGS.llama!);
    for (const rope_scaling of [{ rope_type: "default" }, { type: "default", factor: 8 }, { factor: 8 }]) {
      const named = tinyNetwork({ ...CONFIGS.llama, rope_scaling });
      expect(await logitsOf(named.network, [1, 2, 3])).toEqual(await logitsOf(plain.network, [1, 2, 3]));
      free(named.parameters);
    }
    free(plain.parameters);
  });

  test("refuses what is not built, by its name", async () => {
    const shapes = (change: Config) => () => llama.shapes({ ...CONFIGS.llama, ...change });
    expect(shapes({ rope_scaling: { type: "yarn", factor: 2 } })).toThrow(/scaled as "yarn"/);
    expect(shapes({ hidden_act: "gelu" })).toThrow(/"silu", the only one that is built, for hidden_act, not "gelu"/);
    expect(shapes({ intermediate_size: undefined })).toThrow(
      /whole number from 1 on for intermediate_size, not nothing/,
    );
    expect(shapes({ num_key_value_heads: 3 })).toThrow(/among 3 heads/);
  });

  test("knows the names of a tied head, of an untied one, of buffers and of a decoder alone", async () => {
    const tied = { ...CONFIGS.llama, tie_word_embeddings: true };
    expect(llama.canonicalName("lm_head.weight", tied)).toBe("model.embed_tokens.weight");
    expect(llama.canonicalName("lm_head.weight", CONFIGS.llama!)).toBe("lm_head.weight");
    expect(llama.canonicalName("layers.0.mlp.up_proj.weight", tied)).toBe("model.layers.0.mlp.up_proj.weight");
    expect(llama.canonicalName("model.layers.0.self_attn.rotary_emb.inv_freq", tied)).toBeUndefined();
  });
});

const STORIES = "models/stories260K-hf";
const absent = shared(STORIES) === undefined;

describe(`the 260K-parameter story model${absent ? `: skipped, ${needs(STORIES)}` : ""}`, () => {
  // Expected values: transformers 5.23.0 and PyTorch 2.15.0 in float64, the same checkpoint.
  const load = () => loadNetwork(openCheckpoint(shared(STORIES)!));

  test.skipIf(absent)("has the logits and the loss that transformers gives", async () => {
    const network = load();
    const ids = [1, 403, 407, 261, 378, 432, 285, 399, 400, 17];
    const logits = await logitsOf(network, ids);
    const first = [-6.222914, 8.404341, -6.223739, -6.222544, -6.221953];
    const last = [-14.134686, -0.215247, -14.134707, -14.135695, -14.13478];
    first.forEach((v, i) => expect(logits[0]![i]).toBeCloseTo(v, 4));
    last.forEach((v, i) => expect(logits[9]![i]).toBeCloseTo(v, 4));
    const losses = ids.slice(1).map((id, i) => {
      const row = logits[i]!;
      return Math.log(row.reduce((sum, v) => sum + Math.exp(v), 0)) - row[id]!;
    });
    expect(losses.reduce((a, b) => a + b, 0) / 9).toBeCloseTo(7.562763606, 4);
    network.dispose();
  });

  test.skipIf(absent)("continues texts with the tokens that transformers gives", async () => {
    const network = load();
    const prompts = [Int32Array.of(1, 403, 407, 261, 378, 432, 285, 399, 400, 17), Int32Array.of(1, 260)];
    expect(await generateIds(network, prompts, { maxNewTokens: 24 })).toEqual([
      [
        426, 359, 413, 286, 261, 370, 432, 352, 266, 268, 388, 426, 291, 268, 388, 286, 399, 262, 423, 388, 269, 381,
        261, 370,
      ],
      [
        419, 286, 261, 376, 298, 315, 421, 395, 317, 426, 338, 401, 396, 267, 337, 335, 311, 267, 422, 419, 269, 311,
        267, 422,
      ],
    ]);
    network.dispose();
  });
});
