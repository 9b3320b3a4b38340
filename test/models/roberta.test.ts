import { describe, expect, test } from "vitest";
import type { Config } from "../../src/models/config.ts";
import { roberta } from "../../src/models/roberta.ts";
import { CONFIGS } from "../nn/networks.ts";

const config = CONFIGS.roberta!;
const untied = { ...config, tie_word_embeddings: false };

describe("the RoBERTa family", () => {
  test("knows the names of ties, of an untied head, of an encoder alone, and what it has no use for", () => {
    const name = (found: string, of: Config = config): string | undefined => roberta.canonicalName(found, of);
    expect(name("lm_head.decoder.weight")).toBe("roberta.embeddings.word_embeddings.weight");
    expect(name("lm_head.decoder.weight", untied)).toBe("lm_head.decoder.weight");
    expect(name("lm_head.decoder.bias", untied)).toBe("lm_head.bias");
    expect(name("encoder.layer.0.output.dense.bias")).toBe("roberta.encoder.layer.0.output.dense.bias");
    expect(name("embeddings.LayerNorm.weight")).toBe("roberta.embeddings.LayerNorm.weight");
    expect(name("roberta.embeddings.position_ids")).toBeUndefined();
    expect(name("roberta.pooler.dense.weight")).toBeUndefined();
    expect(name("lm_head.layer_norm.bias")).toBe("lm_head.layer_norm.bias");
  });

  test("an untied output matrix is a weight of its own", () => {
    expect(roberta.shapes(config).has("lm_head.decoder.weight")).toBe(false);
    expect(roberta.shapes(untied).get("lm_head.decoder.weight")).toEqual([19, 8]);
  });

  test("reads as many tokens as it has positions after the padding token's", () => {
    expect(roberta.limits(config)).toEqual({ maxLength: 32, begin: { mezo: 0, config: 0 }, ends: [2] });
  });

  test("refuses what is not built", () => {
    expect(() => roberta.shapes({ ...config, hidden_act: "relu" })).toThrow(
      /"gelu", the only one that is built, for hidden_act/,
    );
    expect(() => roberta.shapes({ ...config, position_embedding_type: "relative_key" })).toThrow(
      /for position_embedding_type, not "relative_key"/,
    );
    expect(() => roberta.shapes({ ...config, num_attention_heads: 3 })).toThrow(/among 3 heads/);
  });
});
