import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { folder } from "../cli/mezo.ts";
import type { AccuracyRequest, Measured } from "./accuracy.ts";
import { openAccuracyPart } from "./accuracyPart.ts";
import { accuracies, accuracyText } from "./accuracyTable.ts";

const request: AccuracyRequest = {
  ...{ models: ["tiny"], eps: [1e-3], products: ["float32", "bf16"], directions: 4, rows: 2, seed: 1 },
};
const measured = [2, -2, 4, -4].map(
  (reference, direction): Measured => ({
    ...{ model: "tiny", eps: 1e-3, direction, reference },
    found: { float32: reference, bf16: direction === 1 ? 1 : reference * 1.5 },
  }),
);

describe("how near projected gradients are to those in double precision", () => {
  test("is their root mean square difference over the spread, the share of equal signs, and a slope", () => {
    const [exact, rough] = accuracies(request, measured);
    expect(exact).toMatchObject({ directions: 4, error: 0, worst: 0, sameSign: 1, slope: 1 });
    expect(exact!.spread).toBeCloseTo(Math.sqrt(10), 12);
    expect(rough!.error).toBeCloseTo(Math.sqrt((1 + 9 + 4 + 4) / 4 / 10), 12);
    expect(rough!.worst).toBeCloseTo(3 / Math.sqrt(10), 12);
    expect(rough!.sameSign).toBe(0.75);
    expect(rough!.slope).toBeCloseTo((6 - 2 + 24 + 24) / 40, 12);
  });

  test("is printed in percent", () => {
    const text = accuracyText(accuracies(request, measured), request, "AVX2");
    expect(text).toMatch(/on AVX2, 4 directions, each on 2 sentences/);
    expect(text).toMatch(/│ tiny │ 0\.001 │ +bf16 │ +3\.16 │ +67 │ +95 │ +75\.0 │ 1\.30000 │/);
  });
});

test("a measurement that was cut short, in the middle of a line too, goes on where it was, with the same settings alone", () => {
  const place = folder();
  const first = openAccuracyPart(place, "accuracy", request);
  first.add(measured.slice(0, 2));
  appendFileSync(join(place, "accuracy.jsonl.part"), '[{"model":');
  const again = openAccuracyPart(place, "accuracy", request);
  expect(again.measured).toEqual(measured.slice(0, 2));
  again.add(measured.slice(2));
  expect(openAccuracyPart(place, "accuracy", request).measured).toEqual(measured);
  const other = openAccuracyPart(place, "accuracy", { ...request, rows: 3 });
  expect(other.measured).toEqual([]);
  other.remove();
  expect(existsSync(join(place, "accuracy.jsonl.part"))).toBe(false);
});
