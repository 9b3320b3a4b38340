import { describe, expect, test } from "vitest";
import { KitError } from "../../src/error.ts";
import type { Config } from "../../src/models/config.ts";
import { findFamily } from "../../src/models/family.ts";
import "../../src/models/index.ts";
import { readConfig } from "../../src/models/llama.ts";
import { ropeFrequencies } from "../../src/nn/rope.ts";
import { CONFIGS } from "../nn/networks.ts";

const names = ["opt", "roberta", "llama", "mistral", "qwen2", "qwen3", "gpt2", "bert"] as const;

/** The message with which a family refuses a config, or "accepted"; every function of the family that reads one must say the same. */
function refusal(name: (typeof names)[number], change: Config): string {
  const [family, config] = [findFamily(name, { model_type: name }), { ...CONFIGS[name], ...change }];
  try {
    family.shapes(config);
    family.limits(config);
    return "accepted";
  } catch (error) {
    expect(error).toBeInstanceOf(KitError);
    expect(() => family.limits(config)).toThrow((error as Error).message);
    return (error as Error).message;
  }
}

/** Nested so deeply that no JSON can be made of it again. */
const DEEP: unknown = Array.from({ length: 20_000 }).reduce((inner: unknown) => [inner], 1);

const NO_SIZES = [DEEP, 0, -8, 2.5, "8", null, true, {}, [8], 2 ** 31, undefined];
const NO_NUMBERS = [0, -1, "1e-5", {}, [], true, Number.POSITIVE_INFINITY];
const NO_FLAGS = [0, 1, "true", {}];
const NO_IDS = [-1, 1.5, "x", {}, true, 19];

/** What no decoder that is built like Llama can have, whatever its family. */
const NO_DECODER = {
  ...{ vocab_size: NO_SIZES, hidden_size: NO_SIZES, num_hidden_layers: [...NO_SIZES, 8000, 1e9] },
  ...{ intermediate_size: NO_SIZES, num_attention_heads: [...NO_SIZES, 3], num_key_value_heads: [0, 3, "2", {}] },
  ...{ head_dim: [0, 3, "4", {}], max_position_embeddings: NO_SIZES, rms_norm_eps: [...NO_NUMBERS, "8"] },
  ...{ rope_theta: [...NO_NUMBERS, {}], hidden_act: ["gelu"] },
  ...{ tie_word_embeddings: NO_FLAGS, bos_token_id: NO_IDS, eos_token_id: [...NO_IDS, [2, "x"], []] },
  ...{ rope_scaling: ["linear", [1], 3], rope_parameters: [7, "x"], partial_rotary_factor: [0.5, "x"] },
};

/** The fields that each family reads, by what each can not be. */
const WRONG: Readonly<Record<(typeof names)[number], Readonly<Record<string, readonly unknown[]>>>> = {
  opt: {
    ...{
      vocab_size: NO_SIZES,
      hidden_size: NO_SIZES,
      num_hidden_layers: [...NO_SIZES, 8000, 1e5, 1e9],
      ffn_dim: NO_SIZES,
    },
    ...{ num_attention_heads: [...NO_SIZES, 3], max_position_embeddings: NO_SIZES, word_embed_proj_dim: [0, "8", {}] },
    ...{ do_layer_norm_before: NO_FLAGS, _remove_final_layer_norm: NO_FLAGS, activation_function: ["gelu", 1, {}] },
    ...{ enable_bias: [false, "true"], layer_norm_elementwise_affine: [false], tie_word_embeddings: [false] },
    ...{ bos_token_id: NO_IDS, eos_token_id: NO_IDS },
  },
  roberta: {
    ...{ vocab_size: NO_SIZES, hidden_size: NO_SIZES, num_hidden_layers: [...NO_SIZES, 8000, 1e9] },
    ...{
      intermediate_size: NO_SIZES,
      num_attention_heads: [...NO_SIZES, 3],
      max_position_embeddings: [...NO_SIZES, 2],
    },
    ...{ type_vocab_size: [0, "2"], layer_norm_eps: NO_NUMBERS, pad_token_id: NO_IDS, bos_token_id: NO_IDS },
    ...{ eos_token_id: NO_IDS, tie_word_embeddings: NO_FLAGS, hidden_act: ["relu"], is_decoder: [true, 0] },
    position_embedding_type: ["relative_key"],
  },
  llama: { ...NO_DECODER, attention_bias: NO_FLAGS, mlp_bias: NO_FLAGS },
  mistral: { ...NO_DECODER, sliding_window: [0, "8", {}, 2.5] },
  qwen2: { ...NO_DECODER, use_sliding_window: NO_FLAGS, sliding_window: [0, "8", {}] },
  qwen3: { ...NO_DECODER, attention_bias: NO_FLAGS, use_sliding_window: NO_FLAGS, sliding_window: [0, "8", {}] },
  gpt2: {
    ...{ vocab_size: NO_SIZES, n_embd: [...NO_SIZES, 9], n_layer: [...NO_SIZES, 8000], n_head: [...NO_SIZES, 3] },
    ...{ n_positions: NO_SIZES, n_inner: [0, "8", {}], layer_norm_epsilon: NO_NUMBERS, tie_word_embeddings: NO_FLAGS },
    ...{ activation_function: ["relu", 1], add_cross_attention: [true], scale_attn_weights: [false] },
    ...{ scale_attn_by_inverse_layer_idx: [true], bos_token_id: NO_IDS, eos_token_id: [...NO_IDS, []] },
  },
  bert: {
    ...{ vocab_size: NO_SIZES, hidden_size: NO_SIZES, num_hidden_layers: [...NO_SIZES, 8000, 1e9] },
    ...{ intermediate_size: NO_SIZES, num_attention_heads: [...NO_SIZES, 3], max_position_embeddings: NO_SIZES },
    ...{ type_vocab_size: [0, "2"], layer_norm_eps: NO_NUMBERS, pad_token_id: NO_IDS, tie_word_embeddings: NO_FLAGS },
    ...{ hidden_act: ["relu"], is_decoder: [true, 0], position_embedding_type: ["relative_key"] },
  },
};

describe.each(names)("the config of a model of type %s", (name) => {
  test("is taken as it is, and where what has defaults is null or absent", () => {
    expect(refusal(name, {})).toBe("accepted");
    const given = Object.fromEntries(
      Object.keys(WRONG[name]).flatMap((field) => (field in CONFIGS[name]! ? [] : [[field, null]])),
    );
    expect(Object.keys(given).length).toBeGreaterThan(3);
    expect(refusal(name, given)).toBe("accepted");
  });

  test.each(Object.entries(WRONG[name]))("is refused in one short sentence that names %s", (field, values) => {
    for (const value of values) {
      const message = refusal(name, { [field]: value });
      expect([value, message]).toEqual([
        value,
        expect.stringMatching(
          /^The (OPT|RoBERTa|Llama|Mistral|Qwen2|Qwen3|GPT-2|BERT) config .*[:,] (correct|use|remove)/,
        ),
      ]);
      expect(message.length).toBeLessThan(400);
      if (!/divides|positions/.test(message)) expect(message).toContain(field);
    }
  });
});

test("several fields that do not fit are named together, and long values are cut", () => {
  const message = refusal("opt", { ffn_dim: "x".repeat(1000), hidden_size: -1 });
  expect(message).toMatch(/from 1 on for hidden_size, not -1; a whole number from 1 on for ffn_dim, not "x{119}…:/);
});

describe("Llama's rotary positions", () => {
  const llama3 = { rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4 };
  const withRope = (change: Config) => {
    const { head_dim, rope_theta, rope_scaling } = readConfig({ ...CONFIGS.llama, head_dim: 12, ...change });
    return ropeFrequencies(head_dim, rope_theta, rope_scaling);
  };

  // ROPE_INIT_FUNCTIONS["llama3"] of transformers 5.24.0, in float64.
  const scaledFrom = {
    32: [1, 0.127995541134, 0.0157490131237, 0.00559016994375, 0.00198425131496, 0.000704317278462],
    64: [1, 0.315150026597, 0.0261612909986, 0.00559016994375, 0.00198425131496, 0.000704317278462],
  };

  test.each([
    ["max_position_embeddings where no original length is named", { rope_scaling: llama3 }, 32],
    ["that of rope_scaling", { rope_scaling: { ...llama3, original_max_position_embeddings: 64 } }, 64],
    ["that of rope_parameters", { rope_parameters: { ...llama3, original_max_position_embeddings: 64 } }, 64],
    [
      "that beside them before theirs",
      { original_max_position_embeddings: 64, rope_scaling: { ...llama3, original_max_position_embeddings: 16 } },
      64,
    ],
  ] as const)("are scaled from %s", (_, change, length) => {
    const got = withRope({ rope_theta: 500, ...change });
    scaledFrom[length].forEach((want, i) => expect(got[i]).toBeCloseTo(want, 9));
  });

  test("take theta from rope_scaling, then rope_parameters, then beside them, then 10,000", () => {
    const theta = (change: Config) => readConfig({ ...CONFIGS.llama, ...change }).rope_theta;
    expect(theta({ rope_parameters: { rope_theta: 50, rope_type: "default" }, rope_theta: 7 })).toBe(50);
    expect(theta({ rope_parameters: { rope_theta: 50 }, rope_scaling: { rope_type: "default" }, rope_theta: 7 })).toBe(
      7,
    );
    expect(theta({ rope_theta: 7 })).toBe(7);
    expect(theta({})).toBe(10_000);
  });

  test.each(["linear", "dynamic", "yarn", "longrope", "su", "mrope"])("scaled as %s are refused by name", (type) => {
    for (const change of [
      { rope_scaling: { type, factor: 2 } },
      { rope_parameters: { rope_type: type, factor: 2, rope_theta: 5 } },
    ])
      expect(() => withRope(change)).toThrow(`rotary positions scaled as "${type}", but only`);
  });

  test.each(["factor", "low_freq_factor", "high_freq_factor"])("scaled as llama3 need a number for %s", (field) => {
    for (const value of [undefined, 0, -1, "8", {}])
      expect(() => withRope({ rope_scaling: { ...llama3, [field]: value } })).toThrow(` for ${field}, not `);
  });
});
