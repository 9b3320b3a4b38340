import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { command, folder } from "../cli/mezo.ts";
import type { GpuPart } from "./gpuPart.ts";
import { planParts, productCeiling, SIZES, weightBytes } from "./gpuPlan.ts";
import type { GpuResults } from "./gpuRun.ts";

/** What the check finds in its smallest form on the backend that is everywhere; no Python is there. */
function check(...args: string[]): GpuResults {
  const output = join(folder(), "check.json");
  const small = ["--small", "--backend", "native", "--python", "no-python", "--output", output];
  const { status, stderr } = command("bench/gpuMain", [...small, ...args]);
  expect([status, stderr]).toEqual([0, ""]);
  return JSON.parse(readFileSync(output, "utf8")) as GpuResults;
}

const found = check();
const resultsOf = (kind: GpuPart["kind"]): Record<string, number>[] =>
  found.measured.flatMap(({ part, result }) =>
    (part as GpuPart).kind === kind ? [result as Record<string, number>] : [],
  );

test("the check finds what there is, z to the bit, rates of products and of both laws, and a step", () => {
  expect(found.device.backends).toContainEqual(expect.objectContaining({ name: "native", available: true }));
  expect(resultsOf("noise").map(({ compared, differ }) => [compared, differ])).toEqual([
    [65536, 0],
    [65536, 0],
  ]);
  for (const { valuesPerSecond } of resultsOf("noise")) expect(valuesPerSecond).toBeGreaterThan(0);
  expect(resultsOf("product")).toHaveLength(3);
  for (const { flops } of resultsOf("product")) expect(flops).toBeGreaterThan(0);
  expect(resultsOf("step")).toEqual([
    expect.objectContaining({ step: expect.any(Number), forward: expect.any(Number) }),
  ]);
  expect(found.missed).toEqual([]);
});

test("a part that cannot be measured has its reason in a sentence", () => {
  const without = found.measured.filter(({ reason }) => reason !== undefined);
  expect(without).toEqual([
    {
      part: { kind: "peer", model: "tiny", rows: 2, tokens: 8, steps: 1 },
      reason: expect.stringMatching(/^PyTorch's step was to be measured by no-python, but: .*no-python.*\.$/),
    },
  ]);
});

test("what was not reached in the time is listed", () => {
  const { measured, missed } = check("--seconds", "5");
  expect(measured).toEqual([]);
  expect(missed.map((part) => (part as GpuPart).kind)).toEqual([
    ...["noise", "noise", "product", "product", "product", "step", "peer"],
  ]);
});

test("the steps on a card are those of three shapes and two batches on each backend, the smallest first", () => {
  const steps = planParts(["tensorflow", "webgpu"], SIZES.full).flatMap(({ part }) =>
    part.kind === "step" ? [part] : [],
  );
  expect(steps).toHaveLength(3 * 2 * 2);
  expect(steps.map(({ model, tokens, backend }) => [model, tokens, backend]).slice(0, 3)).toEqual([
    ["opt-125m", 64, "tensorflow"],
    ["opt-125m", 64, "webgpu"],
    ["opt-125m", 400, "tensorflow"],
  ]);
  expect(weightBytes("opt-13b") / 12.853e9).toBeCloseTo(2, 2);
});

test("a card's ceiling is its maker's; there is none for a card that is not known", () => {
  expect(productCeiling("NVIDIA H200", "float16")).toBe(989e12);
  expect(productCeiling("NVIDIA H100 PCIe", "float32")).toBe(51e12);
  expect(productCeiling("NVIDIA L4", "bfloat16")).toBe(121e12);
  expect(productCeiling("Voodoo 2", "float32")).toBeUndefined();
});
