import { rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { inspectModel } from "../../src/models/inspect.ts";
import { tinyModel } from "../tiny.ts";

describe("inspectModel", () => {
  test("gives every tensor, the files, the limits and the tokenizer", async () => {
    const folder = tinyModel();
    const found = await inspectModel(folder);
    expect(found.tensors).toHaveLength(4 + 2 * 16);
    expect(found.tensors[0]).toEqual({
      name: "model.decoder.embed_tokens.weight",
      ...{ dtype: "F32", shape: [19, 16], size: 19 * 16 },
    });
    const weights = join(folder, "model.safetensors");
    expect(found.files).toEqual([{ path: weights, bytes: statSync(weights).size }]);
    expect(found.network).toMatchObject({ prompts: "autoregressive", maxLength: 64, begin: { mezo: 0, config: 2 } });
    expect(found.tokenizer).toEqual({ kind: "WordLevel", size: 19, specialTokens: [] });
    expect(found.config).toMatchObject({ model_type: "opt", num_hidden_layers: 2 });
    expect(found.refusals).toEqual([]);
  });

  test("of a family that the kit lacks still gives tensors and tokenizer, and the sentence that loading ends with", async () => {
    const found = await inspectModel(tinyModel({ config: { model_type: "t5" } }));
    expect(found.tensors).toHaveLength(36);
    expect(found.network).toBeUndefined();
    expect(found.tokenizer?.size).toBe(19);
    expect(found.refusals).toEqual([expect.stringMatching(/model of type "t5", which the kit cannot build/)]);
  });

  test("gives all reasons against a model, and what its template is where it has one", async () => {
    const folder = tinyModel({ config: { num_hidden_layers: 3 } });
    writeFileSync(join(folder, "chat_template.jinja"), "{{ messages }}");
    const { refusals, tokenizer } = await inspectModel(folder);
    expect(refusals).toEqual([expect.stringMatching(/16 missing/)]);
    expect(tokenizer?.chatTemplate).toBe("{{ messages }}");
    rmSync(join(folder, "tokenizer.json"));
    expect((await inspectModel(folder)).refusals).toEqual([
      expect.stringMatching(/16 missing/),
      expect.stringMatching(/no tokenizer there/),
    ]);
  });

  test("without weights to look at is refused as loading is", async () => {
    await expect(inspectModel("no/such/model/folder")).rejects.toThrow(/no\/such\/model\/folder/);
  });
});
