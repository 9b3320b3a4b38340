import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { loadModel } from "../../src/models/load.ts";
import { checkConfig } from "../../src/models/weights.ts";
import { packBatch } from "../../src/nn/batch.ts";
import { features } from "../../src/nn/run.ts";
import { gaussian } from "../../src/tensor/parameter.ts";
import { safetensorsBytes } from "../checkpoints/files.ts";
import { torchOld, torchZip } from "../checkpoints/torchFiles.ts";
import { tinyModel, tinyTensors } from "../tiny.ts";
import { takeRows } from "../values.ts";

const featuresOf = (model: Awaited<ReturnType<typeof loadModel>>, ...sequences: number[][]): Promise<number[][]> =>
  takeRows(tf.tidy(() => features(model, packBatch(sequences), [...sequences.flat().keys()])));

describe("loadModel", () => {
  test("names every missing, misshapen and unknown tensor in one error", async () => {
    const tensors = tinyTensors()
      .filter(({ name }) => !name.endsWith("fc1.bias"))
      .map((t) => (t.name.endsWith("layers.0.fc2.bias") ? { ...t, shape: [8], data: t.data.slice(0, 8) } : t));
    const folder = tinyModel({
      tensors: [...tensors, { name: "model.decoder.extra", shape: [1], data: Float32Array.of(1) }],
    });
    const error = await loadModel(folder).catch((e: Error) => e.message);
    expect(error).toContain("2 missing (model.decoder.layers.0.fc1.bias, model.decoder.layers.1.fc1.bias)");
    expect(error).toContain("1 misshapen (model.decoder.layers.0.fc2.bias is [8] instead of [16])");
    expect(error).toContain("1 unknown (model.decoder.extra)");
  });

  test("names a few of many missing tensors, and how many more there are", async () => {
    const message = await loadModel(tinyModel({ config: { num_hidden_layers: 48 } })).catch((e: Error) => e.message);
    expect(message).toMatch(/736 missing \(model\.decoder\.layers\.2\.\S+, .* and 731 more\); get a complete/);
    expect(String(message).length).toBeLessThan(600);
  });

  test("takes either name of the tied embedding and output matrix", async () => {
    const renamed = tinyTensors().map((t) =>
      t.name.endsWith("embed_tokens.weight") ? { ...t, name: "lm_head.weight" } : t,
    );
    const [plain, tied] = [await loadModel(tinyModel()), await loadModel(tinyModel({ tensors: renamed }))];
    expect(await featuresOf(tied, [0, 4, 5])).toEqual(await featuresOf(plain, [0, 4, 5]));
    plain.dispose();
    tied.dispose();
  });

  test.each([
    ["model.safetensors", undefined],
    ["pytorch_model.bin", torchZip(tinyTensors())],
    ["checkpoint.bin", torchOld(tinyTensors())],
  ])(
    "takes %s by its path, and the model goes by its folder's name where the file's is every model's",
    async (name, bytes) => {
      const folder = tinyModel();
      const plain = await loadModel(folder);
      if (bytes) {
        rmSync(join(folder, "model.safetensors"));
        writeFileSync(join(folder, name), bytes);
      }
      const model = await loadModel(join(folder, name));
      expect(await featuresOf(model, [0, 4, 5])).toEqual(await featuresOf(plain, [0, 4, 5]));
      expect([model.id, model.folder]).toEqual([name === "checkpoint.bin" ? name : plain.id, folder]);
      plain.dispose();
      model.dispose();
    },
  );

  test("says which model type it cannot build, and which it can", async () => {
    await expect(loadModel(tinyModel({ config: { model_type: "t5" } }))).rejects.toThrow(
      /type "t5", which the kit cannot build: it knows bert, gpt2, llama, mistral, opt, qwen2, qwen3, roberta\.$/,
    );
  });

  test.each([
    ["GPTQ", { quant_method: "gptq", bits: 4 }],
    ["AWQ", { quant_method: "awq" }],
    ["bitsandbytes (4 bits)", { quant_method: "bitsandbytes", load_in_4bit: true, bnb_4bit_quant_type: "nf4" }],
    ["bitsandbytes (int8)", { quant_method: "bitsandbytes", load_in_8bit: true }],
    ["FP8", { quant_method: "fp8", weight_block_size: [128, 128] }],
    ["hqq", { quant_method: "hqq" }],
  ])(
    "refuses weights quantized by %s as its config names them, before any is read or downloaded",
    async (way, said) => {
      const config = { quantization_config: said };
      const found = `has quantized weights (${way}), which the kit does not read: take the model that they were made from`;
      await expect(loadModel(tinyModel({ config, tensors: [] }))).rejects.toThrow(found);
      expect(() => checkConfig("some/model", { model_type: "opt", ...config })).toThrow(`some/model ${found}`);
    },
  );

  test.each([
    ["GPTQ", ["q_proj.qweight", "q_proj.qzeros", "q_proj.scales", "q_proj.g_idx"]],
    ["AWQ", ["q_proj.qweight", "q_proj.qzeros", "q_proj.scales"]],
    ["bitsandbytes (4 bits)", ["q_proj.weight", "q_proj.weight.absmax", "q_proj.weight.quant_map"]],
    ["bitsandbytes (int8)", ["q_proj.weight", "q_proj.SCB"]],
    ["FP8", ["q_proj.weight", "q_proj.weight_scale_inv"]],
  ])("refuses weights quantized by %s as their names tell", async (way, names) => {
    const tensors = names.map((name) => ({ name: `model.${name}`, shape: [1], data: Float32Array.of(1) }));
    await expect(loadModel(tinyModel({ tensors: [...tinyTensors(), ...tensors] }))).rejects.toThrow(
      `has quantized weights (${way})`,
    );
  });

  test("refuses weights of 8-bit floats", async () => {
    const folder = tinyModel();
    const header = { "model.weight": { dtype: "F8_E4M3", shape: [4], data_offsets: [0, 4] } };
    writeFileSync(join(folder, "model.safetensors"), safetensorsBytes(header, new Uint8Array(4)));
    await expect(loadModel(folder)).rejects.toThrow("has quantized weights (FP8)");
  });

  test("says what an OPT config lacks", async () => {
    await expect(loadModel(tinyModel({ config: { ffn_dim: null } }))).rejects.toThrow(
      /a whole number from 1 on for ffn_dim, not null/,
    );
    await expect(loadModel(tinyModel({ config: { activation_function: "gelu" } }))).rejects.toThrow(
      /for activation_function, not "gelu"/,
    );
  });

  test("refuses a tokenizer with more tokens than the model knows", async () => {
    const config = { vocab_size: 10 };
    const tensors = tinyTensors().map((t) =>
      t.name.includes("embed_tokens") ? { ...t, shape: [10, 16], data: t.data.slice(0, 160) } : t,
    );
    await expect(loadModel(tinyModel({ config, tensors }))).rejects.toThrow(
      /ids up to 18, but the model knows 10 tokens/,
    );
  });

  test("restores the base weights bit for bit after they were changed", async () => {
    const model = await loadModel(tinyModel());
    const before = await featuresOf(model, [0, 4, 5]);
    gaussian(model.parameters, 0.1, { seed: 1, step: 0 });
    expect(await featuresOf(model, [0, 4, 5])).not.toEqual(before);
    model.restore();
    expect(await featuresOf(model, [0, 4, 5])).toEqual(before);
    model.dispose();
  });

  test("gives a token the same features in a ragged batch as alone, and whatever follows it", async () => {
    const model = await loadModel(tinyModel());
    const alone = await featuresOf(model, [0, 4, 5]);
    const together = await featuresOf(model, [0, 7, 8, 9, 10], [0, 4, 5, 6]);
    alone.flat().forEach((v, i) => expect(together.slice(5, 8).flat()[i]).toBeCloseTo(v, 5));
    model.dispose();
  });

  test("holds no second copy: a weight's values are what the forward pass reads", async () => {
    const model = await loadModel(tinyModel());
    const table = model.parameters.find(({ name }) => name.endsWith("embed_tokens.weight"))!;
    expect(table.value.dataId).toBe(model.head.weight.dataId);
    model.dispose();
  });
});
