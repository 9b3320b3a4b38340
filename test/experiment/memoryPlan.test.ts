import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { adaptedModel } from "../../src/adapters/adapter.ts";
import { lora } from "../../src/adapters/lora.ts";
import { type Execution, findLongest, NOTHING, predictBytes, totalBytes } from "../../src/experiment/cost.ts";
import { encodeBatch } from "../../src/loss/encode.ts";
import { objectiveFor } from "../../src/loss/objective.ts";
import { loadModel } from "../../src/models/load.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { forgetMost, poolBytes } from "../../src/tensor/native/pool.ts";
import type { Objective } from "../../src/tuners/tuner.ts";

const SHIFT = { law: "gaussian", eps: 1e-3, z: { seed: 1, step: 0 } } as const;
const task = await loadTask("SST-2", { train: 32, dev: 8, test: 8, seed: 1 });

/** What each way through the network does, its results' memory taken back. */
const WAYS: Readonly<
  Record<Execution, (objective: Objective, theta: Parameters<NonNullable<Objective["gradient"]>>[0]) => unknown>
> = {
  forward: (objective) => objective.value(),
  pair: (objective, theta) => objective.pair!(theta, SHIFT),
  backward: async (objective, theta) => tf.dispose([...(await objective.gradient!(theta)).gradients]),
  checkpointed: async (objective, theta) => tf.dispose([...(await objective.gradient!(theta)).gradients]),
};

describe.each(["opt-reviews", "roberta-reviews"])("the predicted bytes of %s", (id) => {
  test.each(Object.keys(WAYS) as Execution[])("are near what results really took, in a %s pass", async (execution) => {
    const model = await loadModel(id);
    const batch = encodeBatch(model, task.train, "mezo");
    const objective = objectiveFor(model, task, { checkpointing: execution === "checkpointed" })(batch);
    const gradients = execution === "backward" || execution === "checkpointed" ? 1 : 0;
    const predicted = predictBytes({
      ...{ network: model, theta: model.parameters, execution, lengths: findLongest(batch.examples) },
      resident: { gradients, optimizer: 0 },
    });
    const before = poolBytes().inUse;
    forgetMost();
    await WAYS[execution](objective, model.parameters);
    const real = poolBytes().most - before;
    const ratio = (predicted.activations + predicted.temporaries + predicted.gradients) / real;
    expect(predicted.weights).toBe(4 * model.parameters.reduce((sum, { value }) => sum + value.size, 0));
    expect(ratio).toBeGreaterThan(0.75);
    expect(ratio).toBeLessThan(1.3);
    model.dispose();
  });
});

test.each(["forward", "pair", "backward"] as const)(
  "the predicted bytes of LoRA on all linear maps are near what results really took, in a %s pass",
  async (execution) => {
    const model = await loadModel("opt-reviews");
    const adapted = lora({ targets: "all-linear" }).begin(model, { seed: 1, vocabulary: model.tokenizer.size });
    const whole = adaptedModel(model, adapted);
    const theta = adapted.parameters;
    const batch = encodeBatch(whole, task.train, "mezo");
    const objective = objectiveFor(whole, task, {})(batch);
    const resident = { gradients: execution === "backward" ? 1 : 0, optimizer: 0 };
    const predicted = predictBytes({
      network: whole,
      theta,
      execution,
      lengths: findLongest(batch.examples),
      resident,
    });
    const before = poolBytes().inUse;
    forgetMost();
    await WAYS[execution](objective, theta);
    const ratio = (predicted.activations + predicted.temporaries + predicted.gradients) / (poolBytes().most - before);
    expect(ratio).toBeGreaterThan(0.75);
    expect(ratio).toBeLessThan(1.3);
    adapted.dispose();
    model.dispose();
  },
);

test("weights of 16 bits count half, an adapter's weights count too, and Adam's moments twice", async () => {
  const model = await loadModel(undefined, { weights: "bfloat16" });
  const plan = { network: model, execution: "forward", lengths: [100], theta: [], resident: NOTHING } as const;
  const alone = predictBytes(plan);
  const kept = model.parameters.reduce((sum, { value }) => sum + (value.rank === 2 ? 2 : 4) * value.size, 0);
  expect(alone.weights).toBe(kept);
  const adapted = lora().begin(model, { seed: 1, vocabulary: model.tokenizer.size });
  const theta = adapted.parameters;
  const size = theta.reduce((sum, { value }) => sum + value.size, 0);
  const tuned = predictBytes({
    ...plan,
    network: adaptedModel(model, adapted),
    theta,
    resident: { gradients: 1, optimizer: 2 },
  });
  expect(tuned.weights).toBe(kept + 4 * size);
  expect([tuned.gradients, tuned.optimizer]).toEqual([4 * size, 8 * size]);
  expect(totalBytes(tuned)).toBe(Object.values(tuned).reduce((a, b) => a + b, 0));
  adapted.dispose();
  model.dispose();
});
