import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { adaptedModel } from "../../src/adapters/adapter.ts";
import { lora } from "../../src/adapters/lora.ts";
import { prefix } from "../../src/adapters/prefix.ts";
import { tune } from "../../src/experiment/tune.ts";
import { candidatePasses } from "../../src/loss/candidates.ts";
import { encodeBatch, encodeExample, type LabelledBatch } from "../../src/loss/encode.ts";
import { computeLoss } from "../../src/loss/loss.ts";
import { objectiveFor } from "../../src/loss/objective.ts";
import { runPasses } from "../../src/loss/passes.ts";
import { accuracy } from "../../src/loss/score.ts";
import { loadModel } from "../../src/models/load.ts";
import type { LanguageModel } from "../../src/models/network.ts";
import { loadTask } from "../../src/tasks/load.ts";
import type { Loss } from "../../src/tasks/task.ts";
import { gaussian } from "../../src/tensor/parameter.ts";
import { adam } from "../../src/tuners/adam.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { tinyData, tinyModel } from "../tiny.ts";
import { allValues, setValues } from "../values.ts";

const folder = tinyModel();
const task = await loadTask("SST-2", { data: tinyData(), train: 24, dev: 12, test: 12, seed: 1 });
const LOSSES = ["candidates", "answer"] as const;

/** The batch with a further candidate of two tokens, so that no single pass over the prompt can serve all. */
function withLongCandidate(batch: LabelledBatch): LabelledBatch {
  const examples = batch.examples.map(({ candidates }) => ({
    candidates: [...candidates, { ...candidates[0]!, optionLength: 2 }],
  }));
  return { ...batch, examples };
}

/** The training examples after three demonstrations, a long beginning that all of them share. */
function afterDemonstrations(model: LanguageModel): LabelledBatch["examples"] {
  const shown = ["the film was warm It was great", "the plot was dull It was terrible", "a cast was fine It was great"];
  return task.train.map((example) => encodeExample(model, example, "mezo", shown));
}

const scoreCandidates = (model: LanguageModel, examples: LabelledBatch["examples"]): Promise<number[][]> =>
  runPasses(model, candidatePasses(examples));

async function withModel(work: (model: LanguageModel) => Promise<void>): Promise<void> {
  const model = await loadModel(folder);
  await work(model);
  model.dispose();
}

describe("candidates' scores", () => {
  test("from one pass over the shared prompt are those from a row per candidate: the same differences, the same loss", () =>
    withModel(async (model) => {
      const batch = encodeBatch(model, task.train, "mezo");
      const lean = await scoreCandidates(model, batch.examples);
      const rows = await scoreCandidates(model, withLongCandidate(batch).examples);
      lean.forEach(([terrible, great], i) => expect(great! - terrible!).toBeCloseTo(rows[i]![1]! - rows[i]![0]!, 5));
      const apart = { ...batch, examples: batch.examples.map(({ candidates }) => ({ candidates })) };
      expect(await computeLoss("candidates", model, apart)).toBeCloseTo(
        await computeLoss("candidates", model, batch),
        5,
      );
    }));

  test("are each example's own whatever the order of the batch", () =>
    withModel(async (model) => {
      const { examples } = encodeBatch(model, task.train, "mezo");
      const forwards = await scoreCandidates(model, examples);
      const backwards = (await scoreCandidates(model, examples.toReversed())).toReversed();
      forwards.flat().forEach((v, i) => expect(backwards.flat()[i]).toBeCloseTo(v, 5));
    }));

  test("after a long beginning that all prompts share are those of each prompt alone", () =>
    withModel(async (model) => {
      const examples = afterDemonstrations(model);
      const together = await scoreCandidates(model, examples);
      for (const [i, example] of examples.slice(0, 6).entries())
        (await scoreCandidates(model, [example]))[0]!.forEach((v, j) => expect(together[i]![j]).toBeCloseTo(v, 4));
    }));

  test("of several tokens are the same whether what an example's candidates share is run once or with each", () =>
    withModel(async (model) => {
      const examples = afterDemonstrations(model);
      const batch = withLongCandidate({ examples, gold: [], texts: [], begin: "mezo" });
      const shared = await scoreCandidates(model, batch.examples);
      for (const [i, { candidates }] of batch.examples.entries())
        for (const [j, candidate] of candidates.entries()) {
          const alone = -(await computeLoss("answer", model, {
            examples: [{ candidates: [candidate] }],
            gold: [[0]],
            texts: [],
            begin: "mezo",
          }));
          expect(shared[i]![j]).toBeCloseTo(alone, 4);
        }
    }));
});

describe("the objective of a batch", () => {
  const objectiveOf = (model: LanguageModel, loss: Loss, options = {}): ReturnType<typeof objectiveFor> =>
    objectiveFor(model, { ...task, loss }, options);

  test.each(LOSSES)("for the loss over %s: backpropagation sees the value that the forward passes see", (loss) =>
    withModel(async (model) => {
      for (const batch of [
        encodeBatch(model, task.train, "mezo"),
        withLongCandidate(encodeBatch(model, task.train, "mezo")),
      ]) {
        const value = await computeLoss(loss, model, batch);
        for (const checkpointing of [false, true]) {
          const objective = objectiveOf(model, loss, { checkpointing })(batch);
          const { loss: backward, gradients } = await objective.gradient!(model.parameters);
          expect(backward).toBeCloseTo(value, 5);
          tf.dispose([...gradients]);
        }
      }
    }),
  );

  test.each(LOSSES)("for the loss over %s: micro-batches give the whole batch's loss and gradient", (loss) =>
    withModel(async (model) => {
      const batch = encodeBatch(model, task.train.slice(0, 10), "mezo");
      const [whole, pieces] = [{}, { microBatchSize: 4 }].map((options) => objectiveOf(model, loss, options)(batch));
      expect(await pieces!.value()).toBeCloseTo(await whole!.value(), 6);
      const a = (await whole!.gradient!(model.parameters)).gradients;
      const b = (await pieces!.gradient!(model.parameters)).gradients;
      const [x, y] = [await allValues(a), await allValues(b)];
      x.forEach((values, i) => values.forEach((v, j) => expect(y[i]![j]).toBeCloseTo(v, 5)));
      tf.dispose([...a, ...b]);
    }),
  );

  test.each(LOSSES)("for the loss over %s: both sides in one pass are the losses at moved weights", (loss) =>
    withModel(async (model) => {
      const batch = encodeBatch(model, task.train, "mezo");
      const shift = { law: "gaussian", eps: 1e-2, z: { seed: 3, step: 5 } } as const;
      for (const [which, options] of [
        [batch, {}],
        [withLongCandidate(batch), {}],
        [batch, { microBatchSize: 5 }],
      ] as const) {
        const objective = objectiveOf(model, loss, options)(which);
        const { lossPlus, lossMinus } = await objective.pair!(model.parameters, shift);
        for (const [scale, expected] of [
          [+shift.eps, lossPlus],
          [-shift.eps, lossMinus],
        ] as const) {
          model.restore();
          gaussian(model.parameters, scale, shift.z);
          expect(await objective.value()).toBeCloseTo(expected, 6);
        }
        model.restore();
        expect(lossPlus).not.toBeCloseTo(lossMinus, 3);
      }
    }),
  );

  test("has no two sides in one pass where it is a measure, which may generate text", () =>
    withModel(async (model) => {
      const batch = encodeBatch(model, task.train, "mezo");
      expect(objectiveOf(model, "candidates", { maximize: accuracy })(batch).pair).toBeUndefined();
    }));

  test("has a gradient that its own values confirm, with LoRA and with a prefix too", () =>
    withModel(async (model) => {
      for (const adapter of [lora({ rank: 2, alpha: 4 }), prefix({ length: 3 })]) {
        const adapted = adapter.begin(model, { seed: 1, vocabulary: model.tokenizer.size });
        const batch = encodeBatch(model, task.train.slice(0, 6), "mezo");
        const objective = objectiveOf(adaptedModel(model, adapted), "candidates")(batch);
        const { gradients } = await objective.gradient!(adapted.parameters);
        const slopes = await allValues(gradients);
        const norm2 = slopes.reduce((sum, g) => sum + g.reduce((s, v) => s + v * v, 0), 0);
        expect(norm2).toBeGreaterThan(1e-8);
        const along = async (t: number): Promise<number> => {
          const before = await allValues(adapted.parameters.map(({ value }) => value));
          adapted.parameters.forEach(({ value }, i) =>
            setValues(
              value,
              before[i]!.map((v, j) => v + (t * slopes[i]![j]!) / Math.sqrt(norm2)),
            ),
          );
          const loss = await objective.value();
          adapted.parameters.forEach(({ value }, i) => setValues(value, before[i]!));
          return loss;
        };
        const step = 0.005;
        expect(((await along(step)) - (await along(-step))) / (2 * step)).toBeCloseTo(Math.sqrt(norm2), 2);
        tf.dispose([...gradients]);
        adapted.dispose();
      }
    }));
});

describe("training", () => {
  const settings = { steps: 30, batchSize: 8, evaluateEvery: 30, seed: 2 };

  test("by backpropagation learns, with all weights, LoRA or a prefix, and the base weights are as they were, bit for bit", () =>
    withModel(async (model) => {
      const bits = (): Promise<Float32Array[]> => allValues(model.parameters.map(({ value }) => value));
      const base = await bits();
      for (const [adapter, lr] of [
        [undefined, 1e-2],
        [lora(), 3e-2],
        [prefix(), 1e-1],
      ] as const) {
        const run = await tune(model, task, adam({ lr }), { ...settings, ...(adapter && { adapter }) });
        const mean = (part: typeof run.steps): number =>
          part.reduce((sum, { losses }) => sum + losses[0]!, 0) / part.length;
        expect(mean(run.steps.slice(-5))).toBeLessThan(0.9 * mean(run.steps.slice(0, 5)));
        expect(run.header.method).toBe(adapter ? `FT (${adapter.name})` : "FT");
        expect(await bits()).toEqual(base);
      }
    }));

  test("of LoRA by MeZO moves the adapter alone", () =>
    withModel(async (model) => {
      const bits = (): Promise<Float32Array[]> => allValues(model.parameters.map(({ value }) => value));
      const base = await bits();
      let b: number[] = [];
      const onAdapted: Parameters<typeof tune>[3]["onAdapted"] = async ({ parameters }) => {
        const inB = parameters.filter(({ name }) => name.includes("lora_B"));
        b = (await allValues(inB.map(({ value }) => value))).flatMap((values) => [...values]);
      };
      const run = await tune(model, task, mezo({ lr: 1e-2, eps: 1e-2 }), { ...settings, adapter: lora(), onAdapted });
      expect(run.header).toMatchObject({
        method: "MeZO (LoRA)",
        adapter: { name: "LoRA", options: { rank: 8, alpha: 16 } },
      });
      expect(b.some((v) => v !== 0)).toBe(true);
      expect(await bits()).toEqual(base);
    }));

  test("by MeZO may make any number large, such as accuracy, which backpropagation refuses", () =>
    withModel(async (model) => {
      const run = await tune(model, task, mezo({ lr: 1e-3 }), { ...settings, maximize: accuracy });
      expect(run.header.settings.maximize).toBe("accuracy");
      for (const { losses } of run.steps) expect(-losses[0]! * 8).toBeCloseTo(Math.round(-losses[0]! * 8), 5);
      await expect(tune(model, task, adam({ lr: 1e-3 }), { ...settings, maximize: accuracy })).rejects.toThrow(
        /backpropagation/i,
      );
    }));
});
