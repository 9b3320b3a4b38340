import { describe, expect, test } from "vitest";
import { forwardGradient } from "../../src/lab/forwardGradient.ts";
import { mezoConservative, mezoLayers, mezoSign } from "../../src/lab/variants.ts";
import type { Parameter } from "../../src/tensor/parameter.ts";
import { type Draw, gaussian, type Perturb, rademacher } from "../../src/tensor/parameter.ts";
import { mezoAdam } from "../../src/tuners/adam.ts";
import { nSpsa, onePoint, samplesAt } from "../../src/tuners/estimates.ts";
import { expectationModified, layerGradientNorms, layerGroups, varianceModified } from "../../src/tuners/layers.ts";
import { mezo, summarizeEstimates } from "../../src/tuners/mezo.ts";
import { mezoMomentum } from "../../src/tuners/rules.ts";
import { estimate, quadratic, started, train, valuesOf, weight, weights, zOf } from "./weights.ts";

const SIZES = {
  "embed_tokens.weight": 6,
  "layers.0.weight": 9,
  "layers.1.weight": 5,
  "layers.10.bias": 2,
  "norm.weight": 3,
};
const at = (step: number, total = 100) => ({ seed: 3, step, total });

/** theta after one step from the standard start, what it reported, and theta before. */
async function stepped(tuner: Parameters<typeof started>[0]) {
  const theta = weights(SIZES);
  const before = await valuesOf(theta);
  const result = await started(tuner, theta).step(quadratic(theta), at(5));
  return { theta, before, after: await valuesOf(theta), ...result };
}

function close(a: readonly number[], b: readonly number[], digits = 5): void {
  expect(a).toHaveLength(b.length);
  a.forEach((v, i) => expect(v).toBeCloseTo(b[i]!, digits));
}

/** Every draw and scale that a noise is asked for. */
function listening(noise: Perturb = gaussian): {
  noise: Perturb;
  asked: { scale: number; draw: Draw; names: string[] }[];
} {
  const asked: { scale: number; draw: Draw; names: string[] }[] = [];
  const heard: Perturb = (theta, scale, draw, keep) => {
    asked.push({ scale, draw, names: theta.map(({ name }) => name) });
    noise(theta, scale, draw, keep);
  };
  return { noise: heard, asked };
}

describe("SPSA's estimate", () => {
  test.each([
    ["gaussian", gaussian, (d: number, n: number) => (d + n + 1) / n],
    ["rademacher", rademacher, (d: number, n: number) => (d + n - 1) / n],
  ] as const)(
    "along n %s z has the gradient as its mean, and the size that theory says",
    async (_name, noise, ratio) => {
      const theta = weights({ a: 12, b: 8 });
      const gradient = await valuesOf(theta);
      const norm2 = gradient.reduce((sum, g) => sum + g * g, 0);
      for (const n of [20, 4000]) {
        const mean = new Float64Array(20);
        for (let index = 0; index < n; index++) {
          const z = { seed: 11, step: n, index };
          const { projectedGrad } = await estimate(theta, quadratic(theta), { noise, eps: 1e-2, z });
          (await zOf(theta, noise, z)).forEach((v, i) => {
            mean[i]! += (projectedGrad * v) / n;
          });
        }
        const size2 = mean.reduce((sum, v) => sum + v * v, 0);
        const cosine = mean.reduce((sum, v, i) => sum + v * gradient[i]!, 0) / Math.sqrt(size2 * norm2);
        const expected = 1 / Math.sqrt(ratio(20, n)); // E|mean|² = ratio · |g|², and the mean's part along g is |g|
        expect(Math.abs(cosine - expected)).toBeLessThan(n > 1000 ? 0.002 : 0.12);
        expect(size2 / norm2 / ratio(20, n)).toBeGreaterThan(n > 1000 ? 0.95 : 0.4);
        expect(size2 / norm2 / ratio(20, n)).toBeLessThan(n > 1000 ? 1.05 : 2);
      }
    },
  );
});

describe("n-SPSA", () => {
  test("moves along the mean of n estimates, each with a z of its own (Algorithm 2)", async () => {
    const { theta, before, after, projectedGrad } = await stepped(nSpsa({ lr: 0.1, n: 3 }));
    const zs = await Promise.all([0, 1, 2].map((index) => zOf(theta, gaussian, { seed: 3, step: 5, index })));
    expect(new Set(zs.map((z) => z[0])).size).toBe(3);
    const g = projectedGrad as readonly number[];
    zs.forEach((z, j) => expect(g[j]! / z.reduce((sum, v, i) => sum + v * before[i]!, 0)).toBeCloseTo(1, 2));
    close(
      after,
      before.map((v, i) => v - (0.1 * (g[0]! * zs[0]![i]! + g[1]! * zs[1]![i]! + g[2]! * zs[2]![i]!)) / 3),
    );
  });

  test("with n = 1 is MeZO, and a sum is an average with n times the learning rate", async () => {
    close((await stepped(nSpsa({ lr: 0.1, n: 1 }))).after, (await stepped(mezo({ lr: 0.1 }))).after);
    const sum = await stepped(nSpsa({ lr: 0.1, n: 3, combine: "sum" }));
    close(sum.after, (await stepped(nSpsa({ lr: 0.3, n: 3 }))).after);
  });

  test("grows linearly from 1 to n where asked to: max(1, floor(step / T n))", async () => {
    expect([0, 24, 25, 50, 99].map((step) => samplesAt("linear", 8, step, 100))).toEqual([1, 1, 2, 4, 7]);
    expect([0, 99].map((step) => samplesAt("constant", 8, step, 100))).toEqual([8, 8]);
    const theta = weights({ a: 3 });
    const results = await train(nSpsa({ lr: 0, n: 4, samples: "linear" }), theta, quadratic(theta), 8);
    expect(results.map(({ projectedGrad }) => (projectedGrad as number[]).length)).toEqual([1, 1, 1, 1, 2, 2, 3, 3]);
  });

  test("tells the mean of its losses, and every projected gradient", () => {
    const found = [
      { lossPlus: 1, lossMinus: 3, projectedGrad: -2 },
      { lossPlus: 5, lossMinus: 7.5, projectedGrad: 4 },
    ];
    expect(summarizeEstimates(found)).toEqual({ loss: 4.125, projectedGrad: [-2, 4] });
  });

  test("decays the weights once a step", async () => {
    const theta = [weight("fc.weight", [1, 2])];
    await started(nSpsa({ lr: 0.5, n: 4, weightDecay: 0.1 }), theta).step({ value: () => 1 }, at(0));
    close(await valuesOf(theta), [0.95, 1.9], 4);
  });
});

describe("the one-point estimate", () => {
  test("is the change of the perturbed loss since the step before, over eps; the first step only looks (Table 11)", async () => {
    const theta = weights({ a: 4 });
    const { noise, asked } = listening();
    const training = started(onePoint({ lr: 0.01, eps: 0.1, noise }), theta);
    const losses = [2, 2.5, 2.4];
    const results = [];
    for (const [step, loss] of losses.entries()) results.push(await training.step({ value: () => loss }, at(step)));
    close(
      results.map(({ projectedGrad }) => projectedGrad as number),
      [0, 5, -1],
    );
    expect(results.map(({ loss }) => loss)).toEqual(losses);
    close(
      asked.map(({ scale }) => scale),
      [0.1, -0.1, 0.1, -0.1 - 0.05, 0.1, -0.1 + 0.01],
    );
  });
});

describe("scaled perturbations", () => {
  const groupNorms = (theta: readonly Parameter[], before: readonly number[]): number[] => {
    const ends = theta.map((_, i) => theta.slice(0, i + 1).reduce((sum, { value }) => sum + value.size, 0));
    return theta.flatMap(({ value }, i) => {
      const part = before.slice(ends[i]! - value.size, ends[i]);
      return part.map(() => Math.hypot(...part)); // one weight a group here
    });
  };

  test("by the parameter norm: perturb by z / d, and estimate with d z (variance) or with z (expectation)", async () => {
    for (const [make, factor] of [
      [varianceModified, (d: number) => d],
      [expectationModified, () => 1],
    ] as const) {
      const run = await stepped(make({ lr: 0.01, scaledBy: "parameter norm" }));
      const z = await zOf(run.theta, gaussian, { seed: 3, step: 5 });
      const d = groupNorms(run.theta, run.before);
      const g = run.projectedGrad as number;
      expect(g / z.reduce((sum, v, i) => sum + (v / d[i]!) * run.before[i]!, 0)).toBeCloseTo(1, 2);
      close(
        run.after,
        run.before.map((v, i) => v - 0.01 * g * z[i]! * factor(d[i]!)),
        4,
      );
    }
  });

  test("by the gradient norm, which is measured with another z, before the first step and again as often as asked", async () => {
    const { noise, asked } = listening();
    const theta = weights(SIZES);
    await train(varianceModified({ lr: 0, scaledBy: "gradient norm", every: 2, noise }), theta, quadratic(theta), 3);
    const measured = asked.filter(({ draw }) => draw.index === 1);
    expect(new Set(measured.map(({ draw }) => draw.step))).toEqual(new Set([0, 2]));
    expect(measured).toHaveLength(2 * 5 * 3); // three sweeps for each of five groups, twice
  });

  test("by the exact norm of the gradient, which where it is theta is the parameter norm", async () => {
    const exact = await stepped(varianceModified({ lr: 0.01, scaledBy: "exact gradient norm" }));
    const other = await stepped(varianceModified({ lr: 0.01, scaledBy: "parameter norm" }));
    expect(exact.projectedGrad).toBe(other.projectedGrad);
    expect(exact.after).toEqual(other.after);
    const theta = weights(SIZES);
    const run = started(varianceModified({ lr: 0.01, scaledBy: "exact gradient norm" }), theta);
    await expect(run.step({ value: () => 1 }, at(0))).rejects.toThrow(
      /the objective has none: scale by the "gradient norm"/,
    );
  });

  test("are refused where a norm is 0, by the group's name", async () => {
    const theta = [weight("layers.0.lora_B", [0, 0]), weight("layers.1.lora_A", [1, 1])];
    const run = started(varianceModified({ lr: 0.1, scaledBy: "parameter norm" }), theta).step(quadratic(theta), at(0));
    await expect(run).rejects.toThrow(/that of "layer 0" is 0; scale by the other norm, or use mezo/);
  });
});

describe("layer groups", () => {
  test("are the embeddings, each layer, and the rest, of both models' names and of adapters'", () => {
    const names = [
      "model.decoder.embed_tokens.weight",
      "model.decoder.embed_positions.weight",
      "model.decoder.final_layer_norm.weight",
      "model.decoder.layers.0.fc1.weight",
      "model.decoder.layers.10.fc1.weight",
      "roberta.embeddings.LayerNorm.bias",
      "roberta.encoder.layer.1.output.dense.bias",
      "base_model.model.model.decoder.layers.1.self_attn.q_proj.lora_A.weight",
      "lm_head.dense.weight",
    ];
    const groups = layerGroups(names.map((name) => weight(name, [1])));
    expect(groups.map(({ name, parameters }) => [name, parameters.length])).toEqual([
      ["embedding", 3],
      ["rest", 2],
      ["layer 0", 1],
      ["layer 10", 1],
      ["layer 1", 2],
    ]);
  });

  test("have gradient norms that are estimated without backpropagation: |g z| with z zero elsewhere", async () => {
    const theta = weights(SIZES);
    const before = await valuesOf(theta);
    const groups = layerGroups(theta);
    const z = { seed: 1, step: 2 };
    const norms = await layerGradientNorms(groups, quadratic(theta), { noise: gaussian, eps: 1e-2, z });
    const expected = await Promise.all(
      groups.map(async ({ parameters }) => {
        const [values, draws] = [await valuesOf(parameters), await zOf(parameters, gaussian, z)];
        return Math.abs(values.reduce((sum, v, i) => sum + v * draws[i]!, 0));
      }),
    );
    close(norms, expected, 3);
    close(await valuesOf(theta), before);
  });
});

describe("MeZO by layers", () => {
  test("perturbs and moves one group after the other, or all from the same weights", async () => {
    const cycle = listening();
    const theta = weights(SIZES);
    await train(mezoLayers({ lr: 0.1, groups: "cycle", noise: cycle.noise }), theta, quadratic(theta), 6);
    expect(cycle.asked.filter((_, i) => i % 4 === 0).map(({ names }) => names[0])).toEqual([
      ...Object.keys(SIZES),
      "embed_tokens.weight",
    ]);
    const run = await stepped(mezoLayers({ lr: 0.1 }));
    const z = await zOf(run.theta, gaussian, { seed: 3, step: 5 });
    const g = run.projectedGrad as readonly number[];
    const owner = Object.values(SIZES).flatMap((size, i) => Array.from({ length: size }, () => i));
    close(
      run.after,
      run.before.map((v, i) => v - 0.1 * g[owner[i]!]! * z[i]!),
    );
  });
});

describe("MeZO with moments", () => {
  const estimates = async (make: (lr: number) => Parameters<typeof started>[0]) => {
    const theta = weights(SIZES);
    const before = await valuesOf(theta);
    const results = await train(make(0.01), theta, quadratic(theta), 3);
    const zs = await Promise.all(results.map((_, step) => zOf(theta, gaussian, { seed: 4, step })));
    const gradients = results.map(({ projectedGrad }, step) => zs[step]!.map((z) => z * (projectedGrad as number)));
    return { before, after: await valuesOf(theta), gradients };
  };

  test("of momentum moves along m = beta m + g z", async () => {
    const { before, after, gradients } = await estimates((lr) => mezoMomentum({ lr, beta: 0.8 }));
    const expected = before.map((start, i) => {
      let [theta, m] = [start, 0];
      for (const g of gradients) {
        m = 0.8 * m + g[i]!;
        theta -= 0.01 * m;
      }
      return theta;
    });
    close(after, expected, 4);
  });

  test("of Adam moves as Adam does along g z", async () => {
    const { before, after, gradients } = await estimates((lr) =>
      mezoAdam({ lr, beta1: 0.8, beta2: 0.9, epsilon: 1e-6 }),
    );
    const expected = before.map((start, i) => {
      let [theta, m, v] = [start, 0, 0];
      gradients.forEach((g, t) => {
        m = 0.8 * m + 0.2 * g[i]!;
        v = 0.9 * v + 0.1 * g[i]! ** 2;
        theta -= (0.01 * m) / (1 - 0.8 ** (t + 1)) / (Math.sqrt(v / (1 - 0.9 ** (t + 1))) + 1e-6);
      });
      return theta;
    });
    close(after, expected, 4);
  });

  test("of signs moves every weight by lr against its own estimate's sign", async () => {
    const run = await stepped(mezoSign({ lr: 0.1 }));
    const z = await zOf(run.theta, gaussian, { seed: 3, step: 5 });
    close(
      run.after,
      run.before.map((v, i) => v - 0.1 * Math.sign(z[i]! * (run.projectedGrad as number))),
    );
  });

  test("decays weights but not biases, and says that of conservative steps there is none to decay", async () => {
    for (const tuner of [mezoMomentum({ lr: 0.5, weightDecay: 0.1 }), mezoSign({ lr: 0.5, weightDecay: 0.1 })]) {
      const theta = [weight("fc.weight", [1, -2]), weight("fc.bias", [3])];
      await started(tuner, theta).step({ value: () => 1 }, at(0));
      close(await valuesOf(theta), [0.95, -1.9, 3], 4);
    }
  });
});

describe("conservative MeZO", () => {
  /** Losses in the order of evaluation: plus, minus, here, down, up. */
  const kept = async (losses: readonly number[]) => {
    const theta = weights(SIZES);
    const before = await valuesOf(theta);
    let calls = 0;
    const result = await started(mezoConservative({ lr: 0.1, eps: 0.5 }), theta).step(
      { value: () => losses[calls++]! },
      at(5),
    );
    const z = await zOf(theta, gaussian, { seed: 3, step: 5 });
    expect(calls).toBe(5);
    close(
      await valuesOf(theta),
      before.map((v, i) => v - result.lr * (result.projectedGrad as number) * z[i]!),
    );
    return result;
  };

  test("keeps the one of three places whose loss is the lowest, and reports the rate that it took", async () => {
    expect(await kept([3, 1, 2, 1.9, 2.1])).toMatchObject({ lr: 0.1, loss: 2, projectedGrad: 2 });
    expect((await kept([3, 1, 2, 2.1, 1.9])).lr).toBe(-0.1);
    expect((await kept([3, 1, 2, 2.1, 2.2])).lr).toBe(0);
    expect((await kept([3, 1, 2, 1.8, 1.9])).lr).toBe(0.1);
    expect((await kept([3, 1, 2, Number.NaN, 1.9])).lr).toBe(-0.1);
    expect((await kept([3, 1, 2, Number.NaN, Number.POSITIVE_INFINITY])).lr).toBe(0);
  });
});

describe("the forward gradient", () => {
  test("is MeZO's step with the exact derivative", async () => {
    const [exact, difference] = [
      await stepped(forwardGradient({ lr: 0.1 })),
      await stepped(mezo({ lr: 0.1, eps: 1e-2 })),
    ];
    const z = await zOf(exact.theta, gaussian, { seed: 3, step: 5 });
    expect(exact.projectedGrad).toBeCloseTo(
      z.reduce((sum, v, i) => sum + v * exact.before[i]!, 0),
      5,
    );
    close(exact.after, difference.after, 3);
    close(
      exact.after,
      exact.before.map((v, i) => v - 0.1 * (exact.projectedGrad as number) * z[i]!),
    );
  });

  test("is refused where the objective has no derivative, with what to do", async () => {
    const run = started(forwardGradient({ lr: 0.1 }), weights(SIZES)).step({ value: () => 1 }, at(0));
    await expect(run).rejects.toThrow(
      "Forward mode cannot be used with this objective, which has no derivative; use MeZO",
    );
  });
});
