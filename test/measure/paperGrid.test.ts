import { expect, test } from "vitest";
import { paperGrid, paperRates } from "../../src/measure/paper.ts";

test("OPT's grid is Table 16's, with rates of their own for SQuAD and DROP", () => {
  const { FT, MeZO } = paperGrid("OPT");
  expect(MeZO).toEqual({
    ...{ lr: [1e-6, 1e-7], eps: [1e-3], batchSize: [16], weightDecay: [0], steps: 20_000, schedule: "constant" },
  });
  expect(FT).toEqual({ lr: [1e-5, 5e-5, 8e-5], batchSize: [8], weightDecay: [0], steps: 625, schedule: "linear" });
  expect(paperGrid("OPT", "SQuAD").MeZO).toEqual({ ...MeZO, lr: [1e-6, 5e-7, 1e-7] });
  expect(paperGrid("OPT", "drop")["MeZO (prefix)"]?.lr).toEqual([5e-2, 1e-2, 5e-3]);
  expect(paperGrid("OPT", "SQuAD").FT).toEqual(FT);
  expect(paperGrid("OPT", "my own")).toEqual(paperGrid("OPT"));
});

test("RoBERTa's grid is Table 15's with MeZO-Adam's of Table 7, and FT's batch sizes go by the examples a class", () => {
  const grid = paperGrid("RoBERTa");
  expect(grid["MeZO (LoRA)"]).toMatchObject({ lr: [1e-5, 5e-5, 1e-4], eps: [1e-3], weightDecay: [0.1] });
  expect(grid["MeZO-Adam"]).toMatchObject({ lr: [1e-6, 1e-5, 1e-4, 5e-4, 1e-3], batchSize: [64] });
  expect(grid["MeZO-Adam"]).not.toHaveProperty("steps");
  expect(grid["FT (LoRA)"]).not.toHaveProperty("weightDecay");
  expect(grid.FT?.batchSize).toEqual([2, 4, 8]);
  expect(paperGrid("RoBERTa", "SST-2", 512).FT?.batchSize).toEqual([8, 16, 32]);
});

test("the rates alone are what measure takes", () => {
  expect(paperRates("OPT", "DROP").MeZO).toEqual([1e-6, 5e-7, 1e-7]);
  expect(Object.keys(paperRates("RoBERTa"))).toEqual(Object.keys(paperGrid("RoBERTa")));
});
