import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { command, folder } from "../cli/mezo.ts";
import { fitPower } from "./fit.ts";
import type { Machine } from "./machine.ts";
import type { CaseResult } from "./measure.ts";
import { growthOf } from "./scaleGrowth.ts";
import { guessWork, type ScaleCase, type ScalePlan, scaleCases } from "./scalePlan.ts";
import { measuredCases, readPoints, type SavedPoint } from "./scaleResults.ts";
import { measureMissing } from "./scaleRun.ts";
import { scaleText } from "./scaleTable.ts";

const plan: ScalePlan = {
  ...{ series: ["rows", "tokens", "size"], models: ["bundled", "opt-1.3b"], batches: [256, 1024] },
  ...{ rows: 16, tokens: 64, size: { steps: 1, threads: 1, noise: "gaussian" } },
};
const cases = scaleCases(plan);

/** A step whose seconds are its tokens' square, and whose peak is its weights' bytes and 100 more. */
const resultOf = ({ rows, tokens, model }: ScaleCase["request"]): CaseResult => {
  const weights = model === "bundled" ? 1e6 : 1e9;
  const seconds = { stepSeconds: (rows * tokens) ** 2, passSeconds: 1, noiseSeconds: 0, inGraphs: 1, samples: [] };
  const work = { productSeconds: 1, attentionSeconds: 0, flops: 1e9, attentionFlops: 0, products: "float32" } as const;
  return { ...seconds, ...work, trained: weights, weights, weightBytes: 2 * weights, peakBytes: 2 * weights + 100 };
};
const pointOf = ({ request }: ScaleCase): SavedPoint => ({ request, result: resultOf(request) });

describe("a power's fit", () => {
  test("finds the power and the factor of values that follow one, and explains all of them", () => {
    const found = fitPower([1, 2, 5, 10].map((x) => [x, 3 * x ** 1.5]));
    expect(found!.slope).toBeCloseTo(1.5, 12);
    expect(found!.factor).toBeCloseTo(3, 12);
    expect(found!.explained).toBeCloseTo(1, 12);
  });

  test("is the line of least squares in the logarithms where they do not: by hand, slope 1/2 and a quarter explained", () => {
    // log x = −1, 0, 1 and log y = 0, −1, 1: xx = 2 and xy = 1, so the slope is 1/2; yy = 2, so R² is 1 / (2 · 2).
    const logs = [0, -1, 1] as const;
    const points = logs.map((y, i) => [Math.exp(i - 1), Math.exp(y)] as const);
    const found = fitPower(points)!;
    expect(found.slope).toBeCloseTo(0.5, 12);
    expect(found.explained).toBeCloseTo(0.25, 12);
  });

  test("needs two places", () => {
    expect(fitPower([[2, 3]])).toBeUndefined();
    expect(
      fitPower([
        [2, 3],
        [2, 4],
      ]),
    ).toBeUndefined();
  });
});

describe("the cases of the scale", () => {
  test("have as many tokens a batch as asked for, in rows or in tokens a row, and each model with its own inference", () => {
    const shown = cases.map(({ series, request: { model, method, rows, tokens } }) =>
      [series, model, method, `${rows}x${tokens}`].join(" "),
    );
    expect(shown).toEqual([
      "rows opt-125m MeZO 4x64",
      "rows opt-125m MeZO 16x64",
      "tokens opt-125m MeZO 16x16",
      "tokens opt-125m MeZO 16x64",
      "size bundled MeZO 16x64",
      "size bundled Zero-shot 16x64",
      "size opt-1.3b MeZO 16x64",
      "size opt-1.3b Zero-shot 16x64",
    ]);
  });

  test("keep a model of a billion weights in 16 bits and a smaller one in 32", () => {
    const weights = cases.filter(({ series }) => series === "size").map(({ request }) => request.weights);
    expect(weights).toEqual(["float32", "float32", "bfloat16", "bfloat16"]);
  });

  test("take longer with more tokens and more weights", () => {
    const [few, many, , , small, , large] = cases.map(guessWork);
    expect(many).toBeGreaterThan(few!);
    expect(large).toBeGreaterThan(small!);
  });
});

describe("a run of the scale", () => {
  const measuring = async (earlier: readonly SavedPoint[]) => {
    const [measured, kept, told]: [string[], number[], number[]] = [[], [], []];
    const points = await measureMissing(
      cases,
      { earlier, keep: (points) => kept.push(points.length) },
      ({ done }) => told.push(done),
      async (request, label) => {
        measured.push(label);
        return resultOf(request);
      },
    );
    return { measured, kept, told, points };
  };

  test("measures a case of two series once, keeps each at once and tells how much of the work is done", async () => {
    const { measured, kept, told, points } = await measuring([]);
    expect(measured).toHaveLength(7);
    expect(kept).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(told).toEqual(told.toSorted((a, b) => a - b));
    expect(told.at(-1)).toBe(100);
    expect(measuredCases(cases, points)).toHaveLength(8);
  });

  test("goes on where an earlier one was stopped", async () => {
    const { measured } = await measuring(cases.slice(0, 4).map(pointOf));
    expect(measured).toHaveLength(4);
    expect((await measuring(cases.map(pointOf))).measured).toEqual([]);
  });
});

describe("what a run of the scale left", () => {
  const machine: Machine = { processor: "a", cores: 2, gib: 24, features: [], level: "none" };
  const file = (content: unknown): string => {
    const place = join(folder(), "scale.json");
    writeFileSync(place, JSON.stringify(content));
    return place;
  };

  test("is read again on the same machine, and elsewhere it is not", () => {
    const place = file({ machine, points: cases.map(pointOf) });
    expect(readPoints(place, machine)).toHaveLength(8);
    expect(readPoints(place, { ...machine, level: "avx2" })).toEqual([]);
    expect(readPoints(join(folder(), "none.json"), machine)).toEqual([]);
  });

  test("is refused where it is something else", () => {
    expect(() => readPoints(file([]), machine)).toThrow(/scale\.json.*holds none: move it away, or name another/);
  });
});

describe("the growth", () => {
  const points = measuredCases(cases, cases.map(pointOf));

  test("is that of MeZO's seconds by tokens or weights, and of its peak by tokens or bytes of weights", () => {
    const [rows, tokens, size] = growthOf(points);
    for (const growth of [rows, tokens]) expect(growth!.seconds.slope).toBeCloseTo(2, 12);
    expect(size!.seconds.slope).toBeCloseTo(0, 12);
    expect(size!.bytes.slope).toBeCloseTo(1, 3);
  });

  test("stands below a table a series, where each model's peak is held against its inference's", () => {
    const text = scaleText(points);
    expect(text).toContain("seconds ~ (tokens)^2.00 (R² 1.000)");
    expect(text).toMatch(/OPT-1\.3B's shape, 16 x 64\s*│\s*MeZO │ bfloat16 │.* 1\.00 │/);
    expect(text.match(/^MeZO:/gm)).toHaveLength(3);
  });
});

test("npm run bench:scale measures, and measures nothing again", () => {
  const args = ["--series", "size", "--model", "bundled", "--rows", "2", "--tokens", "8", "--steps", "1"];
  const first = command("bench/scaleMain", [...args, "--threads", "1", "--output", "results"]);
  expect(first.stderr).toContain("bundled MeZO 2 x 8 2/2");
  expect(first.stdout).toMatch(/the bundled model .*2 x 8 │ Zero-shot │ float32/);
  const second = command("bench/scaleMain", [...args, "--threads", "1", "--output", "results"], first.cwd);
  expect(second.stderr).not.toContain("bundled MeZO");
  expect(second.stdout).toBe(first.stdout);
});
