import { expect, test } from "vitest";
import { trainingMethods } from "../../src/measure/methods.ts";
import { paperGrid } from "../../src/measure/paper.ts";
import { backpropagation, defaultSettings } from "../../src/measure/runMethod.ts";

const FAMILIES = { autoregressive: "OPT", masked: "RoBERTa" } as const;

test.each([
  ["autoregressive", "FT", 1e-5, 0, 625, 8],
  ["autoregressive", "FT (LoRA)", 1e-4, 0, 625, 8],
  ["autoregressive", "FT (prefix)", 1e-2, 0, 625, 8],
  ["autoregressive", "MeZO", 1e-6, 1e-3, 20_000, 16],
  ["autoregressive", "MeZO (LoRA)", 1e-4, 1e-2, 20_000, 16],
  ["autoregressive", "MeZO (prefix)", 1e-2, 1e-1, 20_000, 16],
  ["masked", "FT", 1e-5, 0, 1000, 8],
  ["masked", "FT (LoRA)", 1e-4, 0, 1000, 8],
  ["masked", "FT (prefix)", 1e-2, 0, 1000, 8],
  ["masked", "MeZO", 1e-6, 1e-3, 100_000, 64],
  ["masked", "MeZO (LoRA)", 5e-5, 1e-3, 100_000, 64],
  ["masked", "MeZO (prefix)", 5e-3, 1e-1, 100_000, 64],
] as const)(
  "a model that reads %s text takes for %s lr %d, eps %d, %d steps of %d, which are in the paper's grid",
  (...row) => {
    const [prompts, method, lr, eps, steps, batchSize] = row;
    const own = trainingMethods.find(({ name }) => name === method)!;
    expect(defaultSettings({ id: "any/model", prompts }, own)).toEqual({ lr, eps, steps, batchSize });
    const grid = { ...paperGrid("RoBERTa"), ...paperGrid(FAMILIES[prompts]) }[method]!;
    expect(grid.lr).toContain(lr);
    expect(grid.batchSize).toContain(batchSize);
  },
);

test("8 is the only batch size that all of FT's grids have", () => {
  const grids = [paperGrid("OPT"), paperGrid("RoBERTa", undefined, 16), paperGrid("RoBERTa", undefined, 512)];
  const sizes = grids.flatMap((grid) =>
    trainingMethods
      .filter(({ trainer }) => trainer === backpropagation)
      .flatMap(({ name }) => (grid[name] ? [grid[name].batchSize] : [])),
  );
  expect(sizes).toHaveLength(7);
  expect(sizes[1]!.filter((size) => sizes.every((others) => others.includes(size)))).toEqual([8]);
});
