import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import type { AdaptableNetwork } from "../../src/adapters/adapter.ts";
import { adaptedModel } from "../../src/adapters/adapter.ts";
import { listLinearMaps, mergeLora } from "../../src/adapters/lora.ts";
import { loadAdapter, saveAdapter, savedAdapter } from "../../src/adapters/peft.ts";
import { prefix } from "../../src/adapters/prefix.ts";
import { openSafetensors } from "../../src/checkpoints/safetensorsHeader.ts";
import { writeSafetensors } from "../../src/checkpoints/write.ts";
import { linear } from "../../src/kernels/linear.ts";
import type { LanguageModel } from "../../src/models/network.ts";
import { lastTokens, packBatch } from "../../src/nn/batch.ts";
import { checkpointedGradient, plainGradient } from "../../src/nn/gradient.ts";
import type { Network } from "../../src/nn/network.ts";
import { features, featuresWithCache } from "../../src/nn/run.ts";
import { allValues, takeValues } from "../values.ts";
import { apart, BATCH, bitsOf, CONFIGS, featuresOf, networkWith, ROWS, tail } from "./networks.ts";

const AT = { seed: 1, vocabulary: 32 };

/** An adapter that PEFT 0.21.2 wrote: what its configuration says, the ranks of its modules, and logits that PEFT gave in float64. */
interface Written {
  readonly model: keyof typeof MODELS;
  readonly config: Readonly<Record<string, unknown>>;
  /** The rank of a module that is adapted, else 0. */
  readonly rank: (module: string) => number;
  /** Of ids 0 to 7 after the last token of each of the two sequences. */
  readonly logits: readonly number[];
}

const MODELS = {
  ...CONFIGS,
  "opt-350m": { ...CONFIGS.opt, word_embed_proj_dim: 8, do_layer_norm_before: 0 },
} as const;

const WRITTEN: Readonly<Record<string, Written>> = {
  "modules with ranks and alphas of their own, rank-stabilized": {
    model: "opt",
    config: {
      ...{ r: 2, lora_alpha: 6, use_rslora: true, target_modules: ["fc1", "out_proj", "fc2", "k_proj", "q_proj"] },
      rank_pattern: { fc1: 3, "layers.1.self_attn.q_proj": 1 },
      alpha_pattern: { "layers\\.[0]\\.fc.": 9, out_proj: 2 },
    },
    rank: (module) => {
      if (module.endsWith("v_proj")) return 0;
      return module.endsWith("fc1") ? 3 : module.endsWith("1.self_attn.q_proj") ? 1 : 2;
    },
    logits: [
      ...[-0.797872, 0.902293, 1.164212, -0.429612, -1.338639, -0.113888, 1.292399, 0.638615],
      ...[-0.831247, 0.95871, 1.220492, -0.463178, -1.408547, -0.108706, 1.364411, 0.66267],
    ],
  },
  "two modules of one layer": {
    model: "opt",
    config: { r: 2, lora_alpha: 6, target_modules: ["fc2", "v_proj"], layers_to_transform: [1] },
    rank: (module) => (/layers\.1\..*(fc2|v_proj)$/.test(module) ? 2 : 0),
    logits: [
      ...[-0.748903, 0.934356, 1.12826, -0.476272, -1.321631, -0.060324, 1.297139, 0.586975],
      ...[-0.764605, 0.925429, 1.140339, -0.46244, -1.328094, -0.076779, 1.296921, 0.603341],
    ],
  },
  "all linear maps of a model with projected embeddings": {
    model: "opt-350m",
    config: { r: 2, lora_alpha: 3, target_modules: "all-linear" },
    rank: () => 2,
    logits: [
      ...[0.487815, 0.597397, 0.438827, 0.083282, -0.309646, -0.563584, -0.564547, -0.312102],
      ...[0.477951, 0.59285, 0.441638, 0.092188, -0.298642, -0.555421, -0.562889, -0.317694],
    ],
  },
  "all linear maps but the keys": {
    model: "roberta",
    config: { r: 2, lora_alpha: 3, target_modules: "all-linear", exclude_modules: ["key"] },
    rank: (module) => (module.endsWith(".key") ? 0 : 2),
    logits: [
      ...[0.652654, -0.827147, -1.151466, 0.194035, 1.245953, 0.491407, -0.902445, -0.909325],
      ...[0.653866, -0.826296, -1.152332, 0.192833, 1.246331, 0.492762, -0.902272, -0.910611],
    ],
  },
  "modules of one name, in layers and in the head": {
    model: "roberta",
    config: { r: 3, lora_alpha: 5, use_rslora: true, target_modules: ["dense"] },
    rank: (module) => (module.endsWith(".dense") ? 3 : 0),
    logits: [
      ...[0.308014, -0.517576, -0.681137, 0.075423, 0.727466, 0.399508, -0.42127, -0.622065],
      ...[0.308002, -0.517589, -0.681131, 0.075438, 0.727466, 0.399492, -0.421276, -0.622052],
    ],
  },
  "modules that a pattern fits": {
    model: "llama",
    config: {
      ...{ r: 2, lora_alpha: 4, alpha_pattern: { up_proj: 1 } },
      target_modules: ".*\\.(gate_proj|up_proj|o_proj)|model\\.layers\\.1\\.mlp\\.down_proj",
    },
    rank: (module) => (/(gate_proj|up_proj|o_proj|1\.mlp\.down_proj)$/.test(module) ? 2 : 0),
    logits: [
      ...[0.017001, -0.080185, 0.024666, 0.067368, -0.059673, -0.03636, 0.078567, -0.004466],
      ...[0.005263, 0.005428, -0.008084, -0.001227, 0.008721, -0.003305, -0.007004, 0.006944],
    ],
  },
  "all linear maps of a model whose queries share keys": {
    model: "llama",
    config: { r: 4, lora_alpha: 4, target_modules: "all-linear" },
    rank: () => 4,
    logits: [
      ...[0.177215, -1.010338, 0.347791, 0.829613, -0.778887, -0.424877, 0.999667, -0.094585],
      ...[-0.029719, 0.109089, -0.026967, -0.095076, 0.076371, 0.05539, -0.105154, -0.000749],
    ],
  },
};

/** Element i of tensor number k, in the models and adapters that PEFT's logits were made with. */
const valueAt = (amplitude: number) => (k: number, i: number) => amplitude * Math.sin(1.3 * k + 0.7 * i + 0.01 * i * k);

/** The folder of an adapter as PEFT wrote it, its tensors in the order of their names. */
function write({ config, rank }: Written, network: AdaptableNetwork): string {
  const folder = mkdtempSync(join(tmpdir(), "peft-lora-"));
  const shapes = listLinearMaps(network).flatMap(({ name, out, from }): [string, number[]][] => {
    const r = rank(name);
    const base = `base_model.model.${name}`;
    const both: [string, number[]][] = [
      [`${base}.lora_A.weight`, [r, from]],
      [`${base}.lora_B.weight`, [out, r]],
    ];
    return r > 0 ? both : [];
  });
  const sorted = shapes.sort(([a], [b]) => (a < b ? -1 : 1));
  const tensors = sorted.map(([name, shape], k) => {
    const value = valueAt(0.9);
    return { name, shape, data: Float32Array.from({ length: shape[0]! * shape[1]! }, (_, i) => value(100 + k, i)) };
  });
  writeSafetensors(join(folder, "adapter_model.safetensors"), tensors, { dtype: "F32" });
  writeFileSync(join(folder, "adapter_config.json"), JSON.stringify({ peft_type: "LORA", bias: "none", ...config }));
  return folder;
}

const logitsOf = (network: Network): Promise<number[]> => {
  const first = tf.tidy(() => {
    const { weight, bias } = network.head;
    const logits = linear(features(network, BATCH, lastTokens(BATCH)), weight, bias ? { bias } : {});
    return tf.slice(logits, [0, 0], [2, 8]);
  });
  return takeValues(first);
};

describe.each(Object.entries(WRITTEN))("a LoRA of %s", (_name, written) => {
  const config = MODELS[written.model];
  const model = () =>
    networkWith({ ...config, ...("do_layer_norm_before" in config && { do_layer_norm_before: false }) }, valueAt(0.4));

  test("gives PEFT's logits, also when it was saved again, and merged", async () => {
    const network = model();
    const folder = write(written, network);
    const adapted = loadAdapter(folder, network);
    const plain = await logitsOf(network);
    expect(apart(plain, written.logits)).toBeGreaterThan(1e-3);
    expect(apart(await logitsOf({ ...network, adaptation: adapted.adaptation }), written.logits)).toBeLessThan(5e-6);
    const copy = mkdtempSync(join(tmpdir(), "peft-lora-"));
    await saveAdapter(copy, savedAdapter(folder), adapted, { network, baseModel: "some/model" });
    const again = loadAdapter(copy, network);
    expect(await bitsOf(again.parameters)).toEqual(await bitsOf(adapted.parameters));
    expect(await logitsOf({ ...network, adaptation: again.adaptation })).toEqual(
      await logitsOf({ ...network, adaptation: adapted.adaptation }),
    );
    mergeLora(network.parameters, adapted);
    expect(apart(await logitsOf(network), written.logits)).toBeLessThan(5e-6);
    for (const { dispose } of [adapted, again, network]) dispose();
  });
});

test("an adapter that was loaded is saved with its own modules, ranks and alphas", async () => {
  const network = networkWith(CONFIGS.opt, valueAt(0.4));
  const written = WRITTEN["modules with ranks and alphas of their own, rank-stabilized"]!;
  const folder = write(written, network);
  const adapted = loadAdapter(folder, network);
  const copy = mkdtempSync(join(tmpdir(), "peft-lora-"));
  await saveAdapter(copy, savedAdapter(folder), adapted, { network, baseModel: "some/model" });
  const saved = JSON.parse(readFileSync(join(copy, "adapter_config.json"), "utf8"));
  const at = (layer: number, module: string): string => `model.decoder.layers.${layer}.${module}`;
  expect(saved).toMatchObject({ r: 2, lora_alpha: 6, use_rslora: true });
  expect([...saved.target_modules].sort()).toEqual(["fc1", "fc2", "k_proj", "out_proj", "q_proj"]);
  expect(saved.rank_pattern).toEqual({ [at(0, "fc1")]: 3, [at(1, "fc1")]: 3, [at(1, "self_attn.q_proj")]: 1 });
  expect(saved.alpha_pattern).toEqual({
    ...{ [at(0, "fc1")]: 9, [at(0, "fc2")]: 9 },
    ...{ [at(0, "self_attn.out_proj")]: 2, [at(1, "self_attn.out_proj")]: 2 },
  });
  expect([...openSafetensors(join(copy, "adapter_model.safetensors")).tensors.keys()].sort()).toEqual(
    [...openSafetensors(join(folder, "adapter_model.safetensors")).tensors.keys()].sort(),
  );
  adapted.dispose();
  network.dispose();
});

test("the settings of a loaded adapter determine its numbers", () => {
  const network = networkWith(CONFIGS.opt, valueAt(0.4));
  const { options } = savedAdapter(
    write(WRITTEN["modules with ranks and alphas of their own, rank-stabilized"]!, network),
  );
  expect(options).toEqual({
    ...{ rank: 2, alpha: 6, rankStabilized: true, rankPattern: '{"fc1":3,"layers.1.self_attn.q_proj":1}' },
    ...{ alphaPattern: '{"layers\\\\.[0]\\\\.fc.":9,"out_proj":2}', weights: expect.stringMatching(/^[0-9a-f]{16}$/) },
  });
  network.dispose();
});

test("a LoRA without module names adapts queries and values, PEFT's default for these models", () => {
  const network = networkWith(CONFIGS.llama, valueAt(0.4));
  const rank = (module: string): number => (/[qv]_proj$/.test(module) ? 2 : 0);
  const adapted = loadAdapter(
    write({ model: "llama", config: { r: 2, lora_alpha: 4 }, rank, logits: [] }, network),
    network,
  );
  expect([...adapted.lora!.parts.keys()]).toEqual(network.layers.flatMap(({ query, value }) => [query, value]));
  adapted.dispose();
  network.dispose();
});

/** Prefixes of 3 tokens that PEFT 0.21.2 wrote, and logits as above that it gave with them. */
const PREFIXES = {
  opt: [
    ...[-0.746729, 1.000079, 1.152771, -0.532043, -1.368786, -0.023697, 1.359164, 0.575531],
    ...[-0.750139, 0.996482, 1.15472, -0.527654, -1.368953, -0.028154, 1.357522, 0.579321],
  ],
  roberta: [
    ...[0.6546, -0.87741, -1.173819, 0.235223, 1.285028, 0.466084, -0.951802, -0.904042],
    ...[0.651608, -0.88141, -1.172451, 0.239778, 1.28551, 0.461724, -0.954053, -0.900596],
  ],
  llama: [
    ...[-0.081548, 0.316071, -0.082693, -0.273101, 0.224606, 0.156388, -0.305871, 0.002553],
    ...[-0.026379, -0.058103, 0.056572, 0.028707, -0.071489, 0.008441, 0.067102, -0.04331],
  ],
} as const;

/** The same models and prefixes without PEFT, the prefix handed to the model and its tokens counted from 0 on. */
const UNSHIFTED = {
  opt: [
    ...[-0.739119, 1.004778, 1.147069, -0.539057, -1.365931, -0.015524, 1.359628, 0.567547],
    ...[-0.761545, 0.985064, 1.161491, -0.513488, -1.369972, -0.042734, 1.352621, 0.591912],
  ],
  roberta: [
    ...[0.654893, -0.876863, -1.17389, 0.234647, 1.284865, 0.466594, -0.951432, -0.904402],
    ...[0.65127, -0.881515, -1.172157, 0.240004, 1.285307, 0.461416, -0.953975, -0.900257],
  ],
  llama: [
    ...[-0.078405, 0.301904, -0.078475, -0.261126, 0.214165, 0.149839, -0.292026, 0.001908],
    ...[-0.025858, -0.05787, 0.055929, 0.028807, -0.070898, 0.008034, 0.066724, -0.042706],
  ],
} as const;

describe.each(["opt", "roberta", "llama"] as const)("a prefix of %s", (family) => {
  test("gives PEFT's logits where PEFT wrote it, and those of unshifted tokens where the kit did; both are kept when it is saved again", async () => {
    const network = networkWith(CONFIGS[family], valueAt(0.4));
    const width = 4 * network.keyWidth;
    const value = valueAt(0.9);
    const rows = { name: "prompt_embeddings", shape: [3, width] };
    const data = Float32Array.from({ length: 3 * width }, (_, i) => value(100, i));
    const folder = mkdtempSync(join(tmpdir(), "peft-prefix-"));
    writeSafetensors(join(folder, "adapter_model.safetensors"), [{ ...rows, data }], { dtype: "F32" });
    for (const [written, logits] of [
      [{ auto_mapping: null }, PREFIXES[family]],
      [{ first_position: 0 }, UNSHIFTED[family]],
    ] as const) {
      const config = { peft_type: "PREFIX_TUNING", num_virtual_tokens: 3, ...written };
      writeFileSync(join(folder, "adapter_config.json"), JSON.stringify(config));
      const adapted = loadAdapter(folder, network);
      const copy = mkdtempSync(join(tmpdir(), "peft-prefix-"));
      await saveAdapter(copy, savedAdapter(folder), adapted, { network, baseModel: "some/model" });
      const again = loadAdapter(copy, network);
      for (const { adaptation } of [adapted, again])
        expect(apart(await logitsOf({ ...network, adaptation }), logits)).toBeLessThan(5e-6);
      for (const { dispose } of [adapted, again]) dispose();
    }
    network.dispose();
  });
});

test("beside a prefix that takes positions a model reads fewer tokens, generates as it scores, and has one gradient", async () => {
  const network = networkWith(CONFIGS.opt, valueAt(0.4));
  const { adaptation, parameters, dispose } = prefix({ length: 3, init: "random" }).begin(network, AT);
  const model = { ...network, id: "tiny" } as unknown as LanguageModel;
  const shifted = adaptedModel(model, { adaptation: { ...adaptation, firstPosition: 3 }, parameters, dispose });
  expect(shifted.maxLength).toBe(model.maxLength - 3);
  const whole = features(shifted, BATCH, [9]);
  const first = featuresWithCache(shifted, packBatch([BATCH.ids.slice(4, 9)]), [4]);
  const next = featuresWithCache(shifted, { ...packBatch([BATCH.ids.slice(9)]), starts: [5] }, [0], first.present);
  const [of, all] = await allValues([next.features, whole]);
  expect(apart([...of!], [...all!])).toBeLessThan(1e-5);
  expect(apart([...all!], (await featuresOf({ ...network, adaptation })).slice(-16))).toBeGreaterThan(1e-4);
  const plain = await plainGradient(shifted, BATCH, ROWS, tail, parameters);
  const checkpointed = await checkpointedGradient(shifted, BATCH, ROWS, tail, parameters);
  const [gradients, others] = [await allValues(plain.gradients), await allValues(checkpointed.gradients)];
  gradients.forEach((values, i) => expect(apart([...values], [...others[i]!])).toBeLessThan(1e-5));
  const pasts = [first, next].flatMap(({ present }) => present.flatMap(({ keys, values }) => [keys, values]));
  tf.dispose([whole, first.features, next.features, ...pasts, ...plain.gradients, ...checkpointed.gradients]);
  dispose();
  network.dispose();
});
