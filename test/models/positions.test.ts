import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { evaluate } from "../../src/experiment/evaluate.ts";
import { encodeExample } from "../../src/loss/encode.ts";
import { loadModel } from "../../src/models/load.ts";
import { opt } from "../../src/models/opt.ts";
import { roberta } from "../../src/models/roberta.ts";
import { packBatch, type TokenBatch } from "../../src/nn/batch.ts";
import { features, runEmbedding } from "../../src/nn/run.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { CONFIGS, free, type TinyNetwork, tinyNetwork } from "../nn/networks.ts";
import { tinyData, tinyModel } from "../tiny.ts";
import { takeRows, valuesOf } from "../values.ts";

/** The rows of a weight's table. */
function rowsOf({ parameters }: TinyNetwork, name: string): Promise<number[][]> {
  return (parameters.find((one) => one.name === name)!.value as tf.Tensor2D).array();
}

const sum = (...rows: readonly number[][]): number[] => rows[0]!.map((_, i) => rows.reduce((s, row) => s + row[i]!, 0));

/** (x − mean) / sqrt(variance + eps), times the gain, plus the shift. */
function normalized(x: readonly number[], gain: readonly number[], shift: readonly number[], eps: number): number[] {
  const mean = x.reduce((a, b) => a + b, 0) / x.length;
  const variance = x.reduce((a, v) => a + (v - mean) ** 2, 0) / x.length;
  return x.map((v, i) => ((v - mean) / Math.sqrt(variance + eps)) * gain[i]! + shift[i]!);
}

const embedded = ({ network }: TinyNetwork, batch: TokenBatch): Promise<number[][]> =>
  takeRows(tf.tidy(() => runEmbedding(network, batch)));

function expectRows(got: number[][], want: number[][]): void {
  expect(got.length).toBe(want.length);
  want.forEach((row, i) => row.forEach((v, j) => expect(got[i]![j]).toBeCloseTo(v, 5)));
}

const ids = [5, 9, 18, 2];

describe("an OPT", () => {
  test("adds to the token at place i the row i + 2 of its positions, of which there are two more than tokens", async () => {
    const tiny = tinyNetwork(CONFIGS.opt!);
    const words = await rowsOf(tiny, "model.decoder.embed_tokens.weight");
    const positions = await rowsOf(tiny, "model.decoder.embed_positions.weight");
    expect(positions.length).toBe(34);
    expect(tiny.network.maxLength).toBe(32);
    const at = (id: number, place: number): number[] => sum(words[id]!, positions[place + 2]!);
    expectRows(await embedded(tiny, packBatch([ids])), ids.map(at));
    const second = [7, 3];
    expectRows(await embedded(tiny, packBatch([ids, second])), [...ids.map(at), ...second.map(at)]);
    const later = { ...packBatch([second]), starts: [4] };
    expectRows(
      await embedded(tiny, later),
      second.map((id, i) => at(id, 4 + i)),
    );
    free(tiny.parameters);
  });

  test("begins with token 0 as the paper's code has it, and with its config's own where asked", async () => {
    const [model, task] = [
      await loadModel(tinyModel()),
      await loadTask("SST-2", { data: tinyData(), train: 8, dev: 4, test: 4, seed: 1 }),
    ];
    expect(model.begin).toEqual({ mezo: 0, config: 2 });
    const beginOf = (begin: "mezo" | "config"): number[] =>
      encodeExample(model, task.train[0]!, begin).candidates.map(({ ids }) => ids[0]!);
    expect(beginOf("mezo")).toEqual([0, 0]);
    expect(beginOf("config")).toEqual([2, 2]);
    const loss = async (begin?: "mezo" | "config") => (await evaluate(model, task, begin && { begin })).scores[0]!.loss;
    expect(await loss()).toBe(await loss("mezo"));
    expect(await loss()).not.toBe(await loss("config"));
    model.dispose();
  });

  test("has 2 for the begin token of a config that names none", () => {
    expect(opt.limits(CONFIGS.opt!).begin).toEqual({ mezo: 0, config: 2 });
    expect(opt.limits({ ...CONFIGS.opt, bos_token_id: 5 }).begin).toEqual({ mezo: 0, config: 5 });
  });
});

describe("a RoBERTa", () => {
  test.each([1, 0, 3])(
    "adds to the token at place i the row i + 1 + %i of its positions, behind the padding token's",
    async (pad) => {
      const tiny = tinyNetwork({ ...CONFIGS.roberta, pad_token_id: pad });
      const at = (name: string): Promise<number[][]> => rowsOf(tiny, `roberta.embeddings.${name}_embeddings.weight`);
      const [words, positions, types] = [await at("word"), await at("position"), await at("token_type")];
      const [gain, shift] = await Promise.all(
        ["weight", "bias"].map((name) =>
          valuesOf(tiny.parameters.find((one) => one.name === `roberta.embeddings.LayerNorm.${name}`)!.value),
        ),
      );
      const want = ids.map((id, i) =>
        normalized(sum(words![id]!, positions![i + 1 + pad]!, types![0]!), [...gain!], [...shift!], 1e-5),
      );
      expectRows(await embedded(tiny, packBatch([ids])), want);
      expect(tiny.network.maxLength).toBe(34 - (pad + 1));
      free(tiny.parameters);
    },
  );

  test("has padding token 1 and begin token 0 where its config names none", () => {
    const { maxLength, begin, ends } = roberta.limits(CONFIGS.roberta!);
    expect({ maxLength, begin, ends }).toEqual({ maxLength: 32, begin: { mezo: 0, config: 0 }, ends: [2] });
  });
});

test("a Llama turns by powers of 10,000 where its config names no other base", async () => {
  const [plain, named, other] = [{}, { rope_theta: 10_000 }, { rope_theta: 9_999 }].map((change) =>
    tinyNetwork({ ...CONFIGS.llama, ...change }),
  );
  const seen = ({ network }: TinyNetwork): Promise<number[][]> =>
    takeRows(tf.tidy(() => features(network, packBatch([ids]), [...ids.keys()])));
  expect(await seen(plain!)).toEqual(await seen(named!));
  expect(await seen(plain!)).not.toEqual(await seen(other!));
  for (const { parameters } of [plain!, named!, other!]) free(parameters);
});
