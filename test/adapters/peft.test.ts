import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { AdaptableNetwork, Adapter } from "../../src/adapters/adapter.ts";
import { headTuning } from "../../src/adapters/head.ts";
import { lora } from "../../src/adapters/lora.ts";
import { loadAdapter, saveAdapter, savedAdapter } from "../../src/adapters/peft.ts";
import { prefix } from "../../src/adapters/prefix.ts";
import { readTensor } from "../../src/checkpoints/safetensors.ts";
import { openSafetensors } from "../../src/checkpoints/safetensorsHeader.ts";
import { writeSafetensors } from "../../src/checkpoints/write.ts";
import { gaussian } from "../../src/tensor/parameter.ts";
import { allValues } from "../values.ts";
import { bitsOf, FAMILIES, featuresOf, withNetwork } from "./networks.ts";

const AT = { seed: 2, vocabulary: 32 };
const ADAPTERS: readonly [string, () => Adapter][] = [
  ["LoRA", () => lora({ rank: 2, alpha: 6 })],
  ["prefix", () => prefix({ length: 3 })],
];
const temporary = (): string => mkdtempSync(join(tmpdir(), "adapter-"));
const configOf = (folder: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8"));

/** Saves a tuned adapter of the network; gives the folder. */
async function saved(network: AdaptableNetwork, adapter: Adapter): Promise<string> {
  const folder = join(temporary(), "deep", "adapter");
  const adapted = adapter.begin(network, AT);
  gaussian(adapted.parameters, 0.1, { seed: 9, step: 0 });
  await saveAdapter(folder, adapter, adapted, { network, baseModel: "some/model" });
  adapted.dispose();
  return folder;
}

describe.each(FAMILIES.flatMap((family) => ADAPTERS.map(([name, make]) => ({ family, name, make }))))(
  "a saved $name of $family",
  ({ family, make }) => {
    test("comes back bit for bit, computes the same, and can be tuned further", () =>
      withNetwork(family, async (network) => {
        const adapter = make();
        const adapted = adapter.begin(network, AT);
        gaussian(adapted.parameters, 0.1, { seed: 9, step: 0 });
        const folder = temporary();
        await saveAdapter(folder, adapter, adapted, { network, baseModel: "some/model" });
        expect(readdirSync(folder).sort()).toEqual(["adapter_config.json", "adapter_model.safetensors"]);
        const again = savedAdapter(folder);
        expect(again.name).toBe(adapter.name);
        const { init: _, ...options } = adapter.options;
        expect(again.options).toEqual({ ...options, weights: expect.stringMatching(/^[0-9a-f]{16}$/) });
        for (const read of [loadAdapter(folder, network), again.begin(network, AT)]) {
          expect(read.parameters.map(({ name }) => name)).toEqual(adapted.parameters.map(({ name }) => name));
          expect(await bitsOf(read.parameters)).toEqual(await bitsOf(adapted.parameters));
          expect(await featuresOf({ ...network, adaptation: read.adaptation })).toEqual(
            await featuresOf({ ...network, adaptation: adapted.adaptation }),
          );
          read.dispose();
        }
        adapted.dispose();
      }));
  },
);

// Names, shapes and fields as PEFT 0.21.2 wrote them for adapters of the same sizes.
test("LoRA is stored under PEFT's names", () =>
  withNetwork("opt", async (network) => {
    const folder = await saved(network, lora({ rank: 2, alpha: 6 }));
    const { tensors } = openSafetensors(join(folder, "adapter_model.safetensors"));
    const at = (layer: number, rest: string): string =>
      `base_model.model.model.decoder.layers.${layer}.self_attn.${rest}`;
    expect(Object.fromEntries([...tensors].map(([name, { dtype, shape }]) => [name, [dtype, ...shape]]))).toEqual(
      Object.fromEntries(
        [0, 1].flatMap((layer) =>
          ["q_proj", "v_proj"].flatMap((name) => [
            [at(layer, `${name}.lora_A.weight`), ["F32", 2, 16]],
            [at(layer, `${name}.lora_B.weight`), ["F32", 16, 2]],
          ]),
        ),
      ),
    );
    expect(configOf(folder)).toEqual({
      peft_type: "LORA",
      task_type: "CAUSAL_LM",
      base_model_name_or_path: "some/model",
      inference_mode: true,
      r: 2,
      rank_pattern: {},
      lora_alpha: 6,
      alpha_pattern: {},
      use_rslora: false,
      lora_dropout: 0,
      bias: "none",
      fan_in_fan_out: false,
      init_lora_weights: true,
      target_modules: ["q_proj", "v_proj"],
      modules_to_save: null,
    });
  }));

test("LoRA of RoBERTa targets its own projections, and names no task", () =>
  withNetwork("roberta", async (network) => {
    const folder = await saved(network, lora());
    expect(configOf(folder)).toMatchObject({ task_type: null, target_modules: ["query", "value"] });
    expect([...openSafetensors(join(folder, "adapter_model.safetensors")).tensors.keys()]).toContain(
      "base_model.model.roberta.encoder.layer.1.attention.self.value.lora_B.weight",
    );
  }));

test("LoRA of GPT-2 says that its linear maps are stored as [in, out]", () =>
  withNetwork("gpt2", async (network) => {
    const folder = await saved(network, lora());
    expect(configOf(folder)).toMatchObject({ fan_in_fan_out: true, target_modules: ["c_attn"] });
    const { tensors } = openSafetensors(join(folder, "adapter_model.safetensors"));
    const at = "base_model.model.transformer.h.0.attn.c_attn";
    expect(["A", "B"].map((part) => tensors.get(`${at}.lora_${part}.weight`)!.shape)).toEqual([
      [8, 16],
      [48, 8],
    ]);
  }));

test("a prefix of RoBERTa names the one task under which PEFT applies it", () =>
  withNetwork("roberta", async (network) => {
    expect(configOf(await saved(network, prefix()))).toMatchObject({ task_type: "FEATURE_EXTRACTION" });
  }));

test("a prefix is stored as one row per token: each layer's keys, then its values", () =>
  withNetwork("llama", async (network) => {
    const adapter = prefix({ length: 3 });
    const adapted = adapter.begin(network, AT);
    const folder = temporary();
    await saveAdapter(folder, adapter, adapted, { network, baseModel: "some/model" });
    const file = openSafetensors(join(folder, "adapter_model.safetensors"));
    expect([...file.tensors].map(([name, { shape }]) => [name, ...shape])).toEqual([
      ["prompt_embeddings", 3, 2 * 2 * 8],
    ]);
    const rows = (await allValues(adapted.parameters.map(({ value }) => value))).map((each) => [...each]);
    const expected = [0, 1, 2].flatMap((token) => rows.flatMap((of) => of.slice(token * 8, token * 8 + 8)));
    expect([...readTensor(file, "prompt_embeddings")]).toEqual(expected);
    expect(configOf(folder)).toEqual({
      peft_type: "PREFIX_TUNING",
      task_type: "CAUSAL_LM",
      base_model_name_or_path: "some/model",
      inference_mode: true,
      num_virtual_tokens: 3,
      token_dim: 8,
      num_transformer_submodules: 1,
      num_attention_heads: 2,
      num_layers: 2,
      encoder_hidden_size: 8,
      prefix_projection: false,
      modules_to_save: null,
      first_position: 0, // PEFT has no such field, and counts from the prefix's length on
    });
    adapted.dispose();
  }));

describe("loading refuses, in one sentence,", () => {
  /** Changes a saved LoRA's configuration, then loads it. */
  const withConfig = async (change: object, message: RegExp): Promise<void> =>
    withNetwork("opt", async (network) => {
      const folder = await saved(network, lora());
      writeFileSync(join(folder, "adapter_config.json"), JSON.stringify({ ...configOf(folder), ...change }));
      expect(() => loadAdapter(folder, network)).toThrow(message);
    });

  test("kinds and variants that it does not compute", async () => {
    await withConfig({ peft_type: "IA3" }, /it is of type "IA3", and the kit knows LORA and PREFIX_TUNING\.$/);
    await withConfig(
      { use_dora: true, modules_to_save: ["score"] },
      /: the adapter uses use_dora, modules_to_save, which the kit does not compute; train or save a LoRA without them\.$/,
    );
    await withConfig({ bias: "lora_only" }, /the adapter uses bias "lora_only", which the kit does not compute/);
    await withConfig({ init_lora_weights: "pissa" }, /the adapter uses init_lora_weights "pissa", which/);
    await withConfig(
      { rank_pattern: { q_proj: 0 } },
      /rank_pattern is \{"q_proj":0\} where an object of whole numbers/,
    );
    await withConfig({ alpha_pattern: [1] }, /alpha_pattern is \[1\] where an object of numbers above 0 by modules/);
    await withConfig({ target_modules: 3 }, /target_modules is 3 where names or a pattern belongs/);
    await withConfig(
      { target_modules: ["query"] },
      /target_modules is \["query"\], which fits no linear map of the model/,
    );
    await withConfig({ target_modules: "(" }, /its patterns of modules cannot be used \(Invalid regular expression/);
    await withConfig(
      { target_modules: "(.*.*)*x" },
      /its patterns of modules cannot be used \(Script execution timed out/,
    );
    await withConfig({ layers_to_transform: ["a"] }, /layers_to_transform is \["a"\] where numbers of layers belongs/);
    await withConfig({ r: 0 }, /r is 0 where a whole number of at least 1 belongs/);
    await withConfig({ lora_alpha: null }, /lora_alpha is null where a number above 0 belongs/);
  });

  test("tensors that are missing, misshapen or unknown, and names them all", () =>
    withNetwork("opt", async (network) => {
      const folder = await saved(network, lora({ rank: 2 }));
      const path = join(folder, "adapter_model.safetensors");
      const file = openSafetensors(path);
      const tensors = [...file.tensors].map(([name, { shape }]) => ({ name, shape, data: readTensor(file, name) }));
      const [first, second, ...rest] = tensors as [(typeof tensors)[0], (typeof tensors)[0], ...typeof tensors];
      const changed = [{ ...first, name: "extra" }, { ...second, shape: [2, 16] }, ...rest];
      writeSafetensors(path, changed, { dtype: "F32" });
      expect(() => loadAdapter(folder, network)).toThrow(
        `1 missing (${first.name}); 1 misshapen (${second.name} is [2,16] instead of [16,2]); 1 unknown (extra)`,
      );
    }));

  test("LoRA of embeddings and of the output matrix, naming them", () =>
    withNetwork("llama", async (network) => {
      const folder = await saved(network, lora());
      const path = join(folder, "adapter_model.safetensors");
      const file = openSafetensors(path);
      const tensors = [...file.tensors].map(([name, { shape }]) => ({ name, shape, data: readTensor(file, name) }));
      const extra = ["lm_head.lora_A.weight", "lm_head.lora_B.weight", "model.embed_tokens.lora_embedding_A"];
      const more = extra.map((name) => ({ name: `base_model.model.${name}`, shape: [1], data: Float32Array.of(1) }));
      writeSafetensors(path, [...tensors, ...more], { dtype: "F32" });
      expect(() => loadAdapter(folder, network)).toThrow(
        /the adapter changes lm_head, model\.embed_tokens too, and the kit's LoRA reaches neither embeddings nor/,
      );
    }));

  test("a prefix of a model with other keys", () =>
    withNetwork("opt", async (network) => {
      const folder = await saved(network, prefix());
      await withNetwork("llama", (other) => {
        expect(() => loadAdapter(folder, other)).toThrow(/prompt_embeddings is \[5,64\] instead of \[5,32\]/);
      });
    }));

  test("folders without a file, or with weights in another format", () =>
    withNetwork("opt", async (network) => {
      const folder = await saved(network, lora());
      renameSync(join(folder, "adapter_model.safetensors"), join(folder, "adapter_model.bin"));
      expect(() => loadAdapter(folder, network)).toThrow(/adapter_model\.bin: it is no file that torch\.save wrote/);
      rmSync(join(folder, "adapter_model.bin"));
      expect(() => loadAdapter(folder, network)).toThrow(/no adapter_model\.safetensors there; give a folder/);
      rmSync(join(folder, "adapter_config.json"));
      expect(() => savedAdapter(folder)).toThrow(/no adapter_config\.json there/);
    }));
});

test("saving replaces an older adapter, and refuses kinds that PEFT does not have, and folders that cannot be written", () =>
  withNetwork("opt", async (network) => {
    const folder = await saved(network, lora());
    const adapter = prefix();
    const adapted = adapter.begin(network, AT);
    await saveAdapter(folder, adapter, adapted, { network, baseModel: "some/model" });
    expect(savedAdapter(folder).name).toBe("prefix");
    expect(readdirSync(folder)).toHaveLength(2);
    const file = join(folder, "adapter_config.json");
    const options = { network, baseModel: "some/model" };
    await expect(saveAdapter(join(file, "x"), adapter, adapted, options)).rejects.toThrow(/choose a folder/);
    adapted.dispose();
    const head = headTuning();
    const tuned = head.begin(network, AT);
    await expect(saveAdapter(folder, head, tuned, options)).rejects.toThrow(/PEFT has no such kind/);
    expect(savedAdapter(folder).name).toBe("prefix");
    tuned.dispose();
  }));
