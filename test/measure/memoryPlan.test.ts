import { describe, expect, test } from "vitest";
import { type Forming, formingOf, totalBytes } from "../../src/experiment/cost.ts";
import { largestBatch, type MemoryQuestion, planMemory } from "../../src/measure/memoryPlan.ts";
import { paperData } from "../../src/measure/paper.ts";
import { outlineModel } from "../../src/models/outline.ts";
import type { WeightFormat } from "../../src/models/weights.ts";
import type { PredictedBytes } from "../../src/record/run.ts";

const GIB = 2 ** 30;
const ON_GPU = formingOf("tensorflow", true);
const HERE = formingOf("native", false);

/** A question about a model: one example of 400 tokens a step, as the paper measured memory (Table 22). */
async function ask(id: string, weights: WeightFormat, forming: Forming): Promise<MemoryQuestion> {
  const model = await outlineModel(id, { weights });
  return { model, forming, batchSize: 1, tokens: 400, shots: 4, checkpointing: false };
}

const bytesOf = (question: MemoryQuestion, method: string): PredictedBytes =>
  planMemory(question).find((one) => one.method === method)!.bytes;

const sizeOf = ({ model }: MemoryQuestion): number => model.parameters.reduce((sum, { value }) => sum + value.size, 0);

/** The form of data/paper/table22.json. */
interface Table22 {
  readonly rows: readonly { readonly model: string; readonly method: string; readonly gb: number | null }[];
}

const measured = paperData<Table22>("table22").rows.filter(({ method }) => method === "MeZO");

test.each(measured)(
  "what MeZO needs with $model in 16 bits is up to 3 GiB below the paper's $gb, which has CUDA's own memory in it",
  async ({ model, gb }) => {
    const question = await ask(model.toLowerCase(), "float16", ON_GPU);
    const beside = gb! - totalBytes(bytesOf(question, "MeZO")) / GIB;
    expect(beside).toBeGreaterThan(0);
    expect(beside).toBeLessThan(3);
  },
);

test("a masked model is not asked to learn in context", async () => {
  const names = planMemory(await ask("roberta-large", "float32", HERE)).map(({ method }) => method);
  expect(names).toContain("MeZO");
  expect(names).not.toContain("ICL");
  expect(names).not.toContain("Majority");
});

describe("backpropagation", () => {
  test("needs a gradient and two moments a weight beside the weights, which lie in the process where the weights are on a GPU", async () => {
    const [here, onGpu] = [await ask("opt-125m", "float32", HERE), await ask("opt-125m", "float32", ON_GPU)];
    const weights = 4 * sizeOf(here);
    expect(bytesOf(here, "FT")).toMatchObject({ weights, gradients: weights, optimizer: 2 * weights });
    expect(bytesOf(onGpu, "FT")).toMatchObject({ weights, gradients: weights, optimizer: 0 });
    expect(bytesOf(here, "MeZO")).toMatchObject({ gradients: 0, optimizer: 0 });
  });

  test("needs less for its results with checkpointing", async () => {
    const question = await ask("opt-1.3b", "float32", ON_GPU);
    const checkpointed = { ...question, checkpointing: true };
    expect(bytesOf(checkpointed, "FT").activations).toBeLessThan(bytesOf(question, "FT").activations / 2);
  });

  test("of an adapter needs those of its weights alone: of LoRA 16 numbers a width and layer, on queries and values", async () => {
    const question = await ask("opt-125m", "float32", HERE);
    const numbers = 12 * 2 * 8 * (768 + 768);
    expect(bytesOf(question, "FT (LoRA)")).toMatchObject({ gradients: 4 * numbers, optimizer: 8 * numbers });
    expect(bytesOf(question, "FT (prefix)").gradients).toBe(4 * 12 * 2 * 5 * 768);
  });
});

test("on a GPU both sides of a feed-forward part's two matrices stand beside the weights, and its noise in the making", async () => {
  const question = { ...(await ask("opt-13b", "float16", { ...ON_GPU, noiseAtOnce: 0 })), tokens: 2048 };
  const oneMatrix = 5120 * 20480;
  expect(bytesOf({ ...question, batchSize: 2 }, "MeZO").temporaries).toBe(2 * 2 * 2 * oneMatrix);
  const withNoise = bytesOf({ ...question, batchSize: 2, forming: ON_GPU }, "MeZO").temporaries;
  expect(withNoise).toBe(2 * 2 * 2 * oneMatrix + 5 * 4 * ON_GPU.noiseAtOnce);
});

describe("the largest batch", () => {
  test("is the last one whose prediction fits", async () => {
    const question = { ...(await ask("opt-1.3b", "float32", HERE)), tokens: 100 };
    const room = totalBytes(bytesOf({ ...question, batchSize: 20 }, "FT"));
    expect(largestBatch("FT", question, room)).toBe(20);
    expect(largestBatch("FT", question, room - 1)).toBe(19);
  });

  test("is none where the weights do not fit, any where a pass of the most tokens does, and nothing where no steps are taken", async () => {
    const question = await ask("opt-125m", "float32", HERE);
    expect(largestBatch("MeZO", question, 4 * sizeOf(question))).toBe(0);
    expect(largestBatch("MeZO", question, 100 * GIB)).toBe(Number.POSITIVE_INFINITY);
    expect(largestBatch("Zero-shot", question, 100 * GIB)).toBeUndefined();
  });
});
