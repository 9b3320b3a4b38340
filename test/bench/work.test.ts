import { describe, expect, test } from "vitest";
import { profileCase } from "./profile.ts";
import { subjectOf } from "./subject.ts";
import { forwardFlops } from "./work.ts";

describe("the work of a forward pass, by hand", () => {
  // Two layers of width 2 with 3 hidden units, a vocabulary of 5, one row of 2 tokens. Multiplications of the first layer: keys and
  // values 2 x 2 x 4, queries and output 2 x 2 x 4, feed-forward 2 x 2 x 6, attention to 1 + 2 keys, 4 each: 16 + 16 + 24 + 12 = 68.
  // Of the last, for one token but for keys and values: 16 + 8 + 12 + 2 x 4 = 44. Logits 5 x 2 = 10. Two operations each.
  const model = { layers: 2, width: 2, feedForward: 3, vocabulary: 5 };
  const work = { rows: 1, positions: 2, outputs: 5, rank: 0, prefix: 0 };

  test("has all of the first layer, and of the last what one token needs", () => {
    expect(forwardFlops(model, work)).toBe(2 * (68 + 44 + 10));
    expect(forwardFlops(model, { ...work, rows: 3 })).toBe(3 * 2 * (68 + 44 + 10));
  });

  test("has only the candidates' logits", () => {
    expect(forwardFlops(model, { ...work, outputs: 2 })).toBe(2 * (68 + 44 + 4));
  });

  test("has LoRA's 4 a token and projection: on 2 queries and 2 values, then on 1 and 2", () => {
    expect(forwardFlops(model, { ...work, rank: 1 })).toBe(2 * (68 + 44 + 10 + 16 + 12));
  });

  test("has 4 more for each query and token of a prefix: 2 queries, then 1", () => {
    expect(forwardFlops(model, { ...work, prefix: 3 })).toBe(2 * (68 + 44 + 10 + 24 + 12));
  });
});

describe("the work that is counted is what the products do", () => {
  const size = { rows: 3, tokens: 9, steps: 1, threads: 2, noise: "rademacher", weights: "float32" } as const;
  const TOKENS = size.rows * (size.tokens - 1);

  async function bothOf(method: string, loss: "answer" | "candidates"): Promise<{ counted: number; done: number }> {
    const request = { ...size, loss, method, model: "bundled" };
    const { flops: counted, dispose } = await subjectOf(request, (objective) => objective);
    dispose();
    const { operations } = await profileCase(request, () => {});
    return { counted, done: operations.reduce((sum, { flops = 0 }) => sum + flops, 0) };
  }

  test.each([
    ["Zero-shot", "answer"],
    ["Zero-shot", "candidates"],
    ["MeZO", "answer"],
    ["MeZO", "candidates"],
    ["MeZO (prefix)", "candidates"],
  ] as const)("of %s with the loss over %s", async (method, loss) => {
    const { counted, done } = await bothOf(method, loss);
    expect(counted).toBeGreaterThan(1e6);
    expect(done).toBe(counted);
  });

  test("but that LoRA, which adds its corrections in the products' own calls, makes the first layer's queries and values twice", async () => {
    const { counted, done } = await bothOf("MeZO (LoRA)", "answer");
    expect(counted).toBeGreaterThan(1e6);
    expect(done - counted).toBeGreaterThanOrEqual(0);
    expect(done - counted).toBeLessThanOrEqual(2 * 2 * TOKENS * 256 * 256);
  });
});
