import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Products } from "../../src/tensor/products.ts";
import { command, folder } from "../cli/mezo.ts";
import { limitOf, limitSeconds } from "./limit.ts";
import { machineText, readFeatures } from "./machine.ts";
import { median } from "./median.ts";
import { parseBenchOptions } from "./options.ts";
import { writeResults } from "./results.ts";
import { peaksToMezo, rowsOf } from "./row.ts";
import { modelShapes } from "./shapes.ts";

describe("npm run bench", () => {
  test.each([
    ["a number of rows that is none", ["--rows", "0"], /--rows.*whole number from 1 on/],
    ["a row that is all answer", ["--tokens", "1"], /--tokens.*whole number from 2 on/],
    ["a model that it does not have", ["--model", "bert"], /--model.*opt-125m, bundled/],
    ["a loss that it does not have", ["--loss", "mean"], /--loss.*answer, candidates/],
  ])("refuses %s in one sentence and writes nothing", (_what, args, sentence) => {
    const { status, stderr, cwd } = command("bench/main", args);
    expect(status).toBe(1);
    expect(stderr.trim()).toMatch(sentence);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(existsSync(join(cwd, "data"))).toBe(false);
  });

  test("takes methods by name whatever their punctuation", () => {
    const { cases } = parseBenchOptions(["--model", "bundled", "--method", "ft-adam-checkpointing,mezo-lora"]);
    expect(cases.map(({ method }) => method)).toEqual(["FT (Adam, checkpointing)", "MeZO (LoRA)"]);
  });
});

describe("what follows from the measurements", () => {
  const request = {
    rows: 4,
    tokens: 10,
    steps: 1,
    threads: 1,
    noise: "rademacher",
    loss: "answer",
    weights: "float32",
  } as const;
  const measured = (method: string, stepSeconds: number, peakBytes: number) => ({
    request: { ...request, model: "bundled", method },
    result: {
      ...{ stepSeconds, passSeconds: stepSeconds / 2, noiseSeconds: stepSeconds / 4, inGraphs: 0.5, samples: [] },
      ...({
        flops: 6e9,
        attentionFlops: 1e9,
        products: "float32",
        productSeconds: 0.1,
        attentionSeconds: 0.05,
      } as const),
      ...{ trained: 1e8, weights: 1e8, weightBytes: 4e8, peakBytes },
    },
  });
  const ceilings = { gemm: 60e9, gaussian: 1e8, rademacher: 1e9, copied: 1e10 };
  const all = [measured("Zero-shot", 0.2, 100), measured("MeZO", 0.5, 110), measured("FT (Adam)", 2, 550)];
  const rows = rowsOf(all, ceilings);

  test("are rates of the passes, tokens by the step, and ratios to inference", () => {
    expect(rows[1]).toMatchObject({ gflops: 24, ofCeiling: 0.4, tokensPerSecond: 80 });
    expect(rows[1]!.timeToInference).toBeCloseTo(2.5, 12);
    expect(rows[2]!.memoryToInference).toBeCloseTo(5.5, 12);
  });

  test("and of MeZO the time at the ceilings: 6 of 60 GFLOPS, and 0.2 of 1 billion signs", () => {
    expect(rows[1]!.limitSeconds).toBeCloseTo(0.1 + 0.2, 12);
    expect(rows[1]!.stepToLimit).toBeCloseTo(0.5 / 0.3, 12);
    expect(rows[0]).not.toHaveProperty("stepToLimit");
    expect(rows[2]).not.toHaveProperty("stepToLimit");
  });

  test("and fine-tuning's peak over MeZO's", () => {
    expect(peaksToMezo(rows)).toEqual({ "FT (Adam)": 5 });
    expect(peaksToMezo(rows.slice(2))).toEqual({});
  });
});

describe("the limit of a step", () => {
  // A billion operations of a second at 10 billion a second, of them a tenth attention's, and 2 x 3 million normals at 100 million.
  const result = { flops: 1e9, attentionFlops: 1e8, trained: 3e6, stepSeconds: 1 };
  const ceilings = { gemm: 10e9, float32: 8e9, bf16: 40e9, gaussian: 1e8, rademacher: 1e9, copied: 1e10 };
  const limit = (products: Products, method = "MeZO") =>
    limitOf({ method, noise: "gaussian" }, { ...result, products }, ceilings);

  test("is its operations at the ceiling of the faster float32 products, and its normals", () => {
    expect(limit("float32")!.products).toBeCloseTo(0.09, 12);
    expect(limit("float32")!.attention).toBeCloseTo(0.01, 12);
    expect(limit("float32")!.noise).toBeCloseTo(0.06, 12);
    expect(limitSeconds(limit("float32")!)).toBeCloseTo(0.16, 12);
  });

  test.each([
    ["bf16", "MeZO", 1],
    ["bf16x3", "MeZO", 3],
    ["difference", "MeZO", 2],
    ["difference", "MeZO (LoRA)", 1],
  ] as const)(
    "has with %s products of %s %d at bfloat16's ceiling for each of float32's",
    (products, method, terms) => {
      expect(limit(products, method)!.products).toBeCloseTo((terms * 0.9e9) / 40e9, 12);
    },
  );

  test("is that of ONNX Runtime's float32 where the kit's own products do not run, and none for other methods", () => {
    const { float32: _, bf16: __, ...others } = ceilings;
    expect(
      limitOf({ method: "MeZO", noise: "gaussian" }, { ...result, products: "bf16" }, others)!.products,
    ).toBeCloseTo(0.09, 12);
    expect(limit("float32", "FT (Adam)")).toBeUndefined();
  });
});

describe("the machine", () => {
  const flags =
    "processor : 0\nflags\t\t: fpu avx2 fma avx512f avx512_bf16 amx_bf16 amx_tile\nprocessor : 1\nflags\t: fpu\n";

  test("has the features that Linux tells of its first processor", () => {
    expect(readFeatures(flags)).toEqual(["avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16", "amx_tile"]);
    expect(readFeatures("flags : avx512_bf16x")).toEqual([]);
    expect(readFeatures("")).toEqual([]);
  });

  test("is named with its features, and whether it has tiles", () => {
    const machine = { processor: "Some CPU", cores: 2, gib: 23.6, features: ["avx2", "fma"], level: "avx2" } as const;
    expect(machineText(machine)).toBe("Some CPU, 2 cores, 24 GiB; avx2 fma, no AMX; kernels of level avx2");
    expect(machineText({ ...machine, features: ["amx_bf16"] })).not.toContain("no AMX");
  });
});

test("the shapes have as many weights as their names say", () => {
  for (const { millions, family, config } of Object.values(modelShapes)) {
    const sizes = [...family.shapes(config).values()].map((shape) => shape.reduce((a, b) => a * b, 1));
    expect(sizes.reduce((a, b) => a + b) / 1e6).toBeCloseTo(millions, -0.31);
  }
});

test("results that cannot be written are told of in one sentence", () => {
  const place = join(folder(), "taken");
  writeFileSync(place, "");
  expect(() => writeResults(place, "bench.json", {})).toThrow(
    /bench\.json.*cannot be \(EEXIST\): name another --output\./,
  );
});

test("the median is the value in the middle, whatever the order, and leaves the list as it was", () => {
  const values = [30, 4, 100];
  expect(median(values)).toBe(30);
  expect(values).toEqual([30, 4, 100]);
});
