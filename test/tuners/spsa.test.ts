import { describe, expect, test } from "vitest";
import { adaptedModel } from "../../src/adapters/adapter.ts";
import { prefix } from "../../src/adapters/prefix.ts";
import { encodeBatch } from "../../src/loss/encode.ts";
import { objectiveFor } from "../../src/loss/objective.ts";
import { loadModel } from "../../src/models/load.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { gaussian, scaledNoise } from "../../src/tensor/parameter.ts";
import { tinyData, tinyModel } from "../tiny.ts";
import { allValues } from "../values.ts";
import { estimate } from "./weights.ts";

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
const flat = (parts: readonly ArrayLike<number>[]): Float64Array =>
  Float64Array.from(parts.flatMap((p) => [...Array.from(p)]));

describe("the two-sided estimate on a tiny model", () => {
  test("comes, as the mean over z, to the gradient of backpropagation: the cosine is that of theory", async () => {
    const model = await loadModel(tinyModel());
    const task = await loadTask("SST-2", { data: tinyData(), train: 8, dev: 4, test: 4, seed: 1 });
    const adapted = prefix({ length: 2 }).begin(model, { seed: 1, vocabulary: model.tokenizer.size });
    const theta = adapted.parameters;
    const objective = objectiveFor(adaptedModel(model, adapted), task, {})(encodeBatch(model, task.train, "mezo"));
    const { gradients } = await objective.gradient!(theta);
    const gradient = flat(await allValues(gradients));
    const sum = new Float64Array(gradient.length);
    const cosines: number[] = [];
    for (let n = 1; n <= 400; n++) {
      const z = { seed: 3, step: n };
      const { projectedGrad } = await estimate(theta, objective, { noise: gaussian, eps: 1e-2, z });
      const noise = theta.map((weight) => scaledNoise(weight, gaussian, z));
      flat(await allValues(noise)).forEach((v, i) => {
        sum[i]! += projectedGrad * v;
      });
      for (const part of [...noise]) part.dispose();
      if ([25, 100, 400].includes(n))
        cosines.push(dot(sum, gradient) / Math.sqrt(dot(sum, sum) * dot(gradient, gradient)));
    }
    // Of n Gaussian z in d dimensions the squared cosine is about n / (n + d + 1) (Lemma 2 of the paper).
    [25, 100, 400].forEach((n, i) => {
      expect(Math.abs(cosines[i]! - Math.sqrt(n / (n + gradient.length + 1)))).toBeLessThan(0.1);
    });
    expect(cosines[2]).toBeGreaterThan(cosines[0]!);
    for (const part of gradients) part.dispose();
    adapted.dispose();
    model.dispose();
  });
});
