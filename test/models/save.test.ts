import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { lora } from "../../src/adapters/lora.ts";
import { writeSafetensors } from "../../src/checkpoints/write.ts";
import { adaptedModel } from "../../src/experiment/adaptedModel.ts";
import { type LanguageModel, loadModel } from "../../src/index.ts";
import { saveModel } from "../../src/models/save.ts";
import { gaussian } from "../../src/tensor/perturb.ts";
import { tinyModel, tinyTensors } from "../tiny.ts";

const scratch = (): string => mkdtempSync(join(tmpdir(), "saved-"));
const bitsOf = ({ parameters }: LanguageModel): Map<string, string> =>
  new Map(parameters.map(({ name, value }) => [name, Buffer.from(value.dataSync().slice().buffer).toString("base64")]));
const config = (folder: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));

describe("a saved model", () => {
  test.each(["opt-reviews", tinyModel()])("is read back to the bit, with its tokenizer: %s", async (id) => {
    const [model, folder] = [await loadModel(id), scratch()];
    gaussian(model.parameters, 0.01, { seed: 1, step: 0 });
    await saveModel(model, folder);
    const again = await loadModel(folder);
    expect(bitsOf(again)).toEqual(bitsOf(model));
    expect(again.tokenizer.encode("a warm film")).toEqual(model.tokenizer.encode("a warm film"));
    expect(config(folder).torch_dtype).toBe("float32");
    again.dispose();
    model.dispose();
  });

  test.each([
    ["F16", "float16"],
    ["BF16", "bfloat16"],
  ] as const)("in %s holds what a model that is kept so holds", async (dtype, weights) => {
    const [model, folder] = [await loadModel(tinyModel(), { weights }), scratch()];
    await saveModel(model, folder, { dtype });
    const again = await loadModel(folder, { weights });
    const [found, expected] = [bitsOf(again), bitsOf(model)];
    for (const { name, value } of model.parameters)
      if (value.rank === 2) expect(found.get(name)).toEqual(expected.get(name));
    expect(config(folder).torch_dtype).toBe(weights);
    again.dispose();
    model.dispose();
  });

  test("keeps the tokens that files beside its tokenizer add", async () => {
    const [source, folder] = [tinyModel(), scratch()];
    writeFileSync(join(source, "added_tokens.json"), '{"[A]":19}');
    writeFileSync(join(source, "config.json"), JSON.stringify({ ...config(source), vocab_size: 20 }));
    const wider = tinyTensors({ ...config(source) });
    writeSafetensors(join(source, "model.safetensors"), wider, { dtype: "F32" });
    const model = await loadModel(source);
    await saveModel(model, folder);
    const again = await loadModel(folder);
    expect(again.tokenizer.encode("film [A]")).toEqual([8, 19]);
    again.dispose();
    model.dispose();
  });

  test("takes the place of an earlier one", async () => {
    const [model, folder] = [await loadModel(tinyModel()), scratch()];
    await saveModel(model, folder);
    gaussian(model.parameters, 0.1, { seed: 1, step: 0 });
    await saveModel(model, folder);
    const again = await loadModel(folder);
    expect(bitsOf(again)).toEqual(bitsOf(model));
    again.dispose();
    model.dispose();
  });
});

describe("saving is refused, and leaves nothing,", () => {
  test("where the base weights lie, in a place that is a file, with an adapter, in a format that there is not", async () => {
    const [source, place] = [tinyModel(), join(scratch(), "file")];
    const model = await loadModel(source);
    const before = readFileSync(join(source, "model.safetensors"));
    await expect(saveModel(model, source)).rejects.toThrow(/base weights lie there.*choose another folder/);
    expect(readFileSync(join(source, "model.safetensors")).equals(before)).toBe(true);
    writeFileSync(place, "");
    await expect(saveModel(model, join(place, "model"))).rejects.toThrow(/choose a folder that can be written/);
    const adapted = lora({ rank: 2 }).begin(model, { seed: 1, vocabulary: 10 });
    const folder = join(scratch(), "model");
    await expect(saveModel(adaptedModel(model, adapted), folder)).rejects.toThrow(/adapter .*saveAdapter/);
    await expect(saveModel(model, folder, { dtype: "F8" as "F16" })).rejects.toThrow(/choose one of F32, F16, BF16/);
    await expect(saveModel(model, folder, { format: 1 } as never)).rejects.toThrow(/no option format/);
    expect(existsSync(folder)).toBe(false);
    adapted.dispose();
    model.dispose();
  });
});
