import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Adapted } from "../../src/adapters/adapter.ts";
import { adaptedModel } from "../../src/adapters/adapter.ts";
import { lora } from "../../src/adapters/lora.ts";
import { writeSafetensors } from "../../src/checkpoints/write.ts";
import {
  type LanguageModel,
  loadModel,
  loadTask,
  mergeLora,
  mezo,
  replay,
  saveUntrained,
  type Task,
  tune,
} from "../../src/index.ts";
import { diagnose } from "../../src/lab/index.ts";
import { saveModel } from "../../src/models/save.ts";
import { gaussian } from "../../src/tensor/parameter.ts";
import { tinyData, tinyModel, tinyTensors } from "../tiny.ts";
import { allValues } from "../values.ts";

const scratch = (): string => mkdtempSync(join(tmpdir(), "saved-"));
async function bitsOf({ parameters }: LanguageModel): Promise<Map<string, string>> {
  const values = await allValues(parameters.map(({ value }) => value));
  return new Map(parameters.map(({ name }, i) => [name, Buffer.from(values[i]!.buffer).toString("base64")]));
}
const config = (folder: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));

describe("a saved model", () => {
  test.each(["opt-reviews", tinyModel()])("is read back to the bit, with its tokenizer: %s", async (id) => {
    const [model, folder] = [await loadModel(id), scratch()];
    gaussian(model.parameters, 0.01, { seed: 1, step: 0 });
    await saveModel(model, folder);
    const again = await loadModel(folder);
    expect(await bitsOf(again)).toEqual(await bitsOf(model));
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
    const [found, expected] = [await bitsOf(again), await bitsOf(model)];
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

  test("keeps what else the model came with: special tokens, chat template, how it generates", async () => {
    const [source, folder] = [tinyModel(), scratch()];
    const beside = ["special_tokens_map.json", "chat_template.jinja", "chat_template.json", "generation_config.json"];
    for (const name of beside) writeFileSync(join(source, name), `{"from":"${name}"}`);
    const model = await loadModel(source);
    await saveModel(model, folder);
    for (const name of beside) expect(readFileSync(join(folder, name), "utf8")).toBe(`{"from":"${name}"}`);
    model.dispose();
  });

  test("takes the place of an earlier one", async () => {
    const [model, folder] = [await loadModel(tinyModel()), scratch()];
    await saveModel(model, folder);
    gaussian(model.parameters, 0.1, { seed: 1, step: 0 });
    await saveModel(model, folder);
    const again = await loadModel(folder);
    expect(await bitsOf(again)).toEqual(await bitsOf(model));
    again.dispose();
    model.dispose();
  });
});

describe("after a run", () => {
  const begun = async (): Promise<[LanguageModel, Task, string]> => [
    await loadModel(tinyModel()),
    await loadTask("SST-2", { data: tinyData(), train: 16, dev: 4, test: 4, seed: 1 }),
    scratch(),
  ];
  const tuner = mezo({ lr: 1e-2 });
  const settings = { steps: 3, batchSize: 2 };
  const GONE =
    /the weights that MeZO tuned are not in it: replay the run .* keepWeights: true; after model\.restore\(\)/;

  test("the base weights, which are back, are not saved for the tuned ones, until the model is restored", async () => {
    const [model, task, folder] = await begun();
    const base = await bitsOf(model);
    await tune(model, task, tuner, settings);
    await expect(saveModel(model, folder)).rejects.toThrow(GONE);
    // a z that cannot be had inside a pass: theta is moved there and back, and restored
    const swept = ((...args: Parameters<typeof gaussian>) => gaussian(...args)) as typeof gaussian;
    await diagnose(model, task, { lr: 1e-2, batchSize: 4, draws: 3, noise: swept });
    await expect(saveModel(model, folder)).rejects.toThrow(GONE);
    expect(existsSync(join(folder, "config.json"))).toBe(false);
    model.restore();
    await saveModel(model, folder);
    const again = await loadModel(folder);
    expect(await bitsOf(again)).toEqual(base);
    again.dispose();
    model.dispose();
  });

  test("the weights that tune was told to keep are saved, and those that replay gives, until it takes them back", async () => {
    const [model, task, folder] = await begun();
    const run = await tune(model, task, tuner, { ...settings, keepWeights: true });
    const tuned = await bitsOf(model);
    await saveModel(model, join(folder, "kept"));
    await tune(model, task, tuner, settings);
    const replayed = await replay(model, run);
    await saveModel(replayed.model, join(folder, "replayed"));
    replayed.dispose();
    await expect(saveModel(model, join(folder, "late"))).rejects.toThrow(GONE);
    for (const name of ["kept", "replayed"]) {
      const again = await loadModel(join(folder, name));
      expect(await bitsOf(again)).toEqual(tuned);
      again.dispose();
    }
    model.dispose();
  });

  test("that was there already and is only read, the model is not saved for it", async () => {
    const [model, task, folder] = await begun();
    const run = await tune(model, task, tuner, settings);
    model.restore();
    await tune(model, task, tuner, { ...settings, keepWeights: true, resume: run });
    await expect(saveModel(model, folder)).rejects.toThrow(GONE);
    model.dispose();
  });

  test("of an adapter the base weights are not saved for it, but where it was merged into them, or was taken", async () => {
    const [model, task, folder] = await begun();
    await tune(model, task, tuner, { ...settings, adapter: lora() });
    await expect(saveModel(model, folder)).rejects.toThrow(
      /the adapter that MeZO \(LoRA\) tuned is no part of it: .*saveAdapter/,
    );
    const merge = (adapted: Adapted): void => mergeLora(model.parameters, adapted);
    await tune(model, task, tuner, { ...settings, adapter: lora(), onAdapted: merge });
    const merged = await bitsOf(model);
    await saveModel(model, folder);
    const again = await loadModel(folder);
    expect(await bitsOf(again)).toEqual(merged);
    again.dispose();
    model.dispose();
  });

  test("a model that was never trained can be made of it", async () => {
    const [model, task, folder] = await begun();
    await tune(model, task, tuner, settings);
    await saveUntrained(model, folder);
    expect(existsSync(join(folder, "model.safetensors"))).toBe(true);
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
    await expect(saveModel(adaptedModel(model, adapted), folder)).rejects.toThrow(/has an adapter, .*saveAdapter/);
    await expect(saveModel(model, folder, { dtype: "F8" as "F16" })).rejects.toThrow(/choose one of F32, F16, BF16/);
    await expect(saveModel(model, folder, { format: 1 } as never)).rejects.toThrow(/no option format/);
    expect(existsSync(folder)).toBe(false);
    adapted.dispose();
    model.dispose();
  });
});
