import { describe, expect, test } from "vitest";
import {
  allReduceBytes,
  aloneSeconds,
  fitLine,
  fitOverhead,
  type Overhead,
  type Rates,
  SPLITS,
  stepSeconds,
  trainedModel,
  workerBytes,
} from "./clusterScaleModel.ts";

const rates: Rates = { flopsPerSecond: 1e11, lookedPerSecond: 1e9, movedPerSecond: 2e9 };
const free: Overhead = { fixedMs: 0, pieceMs: 0, messagesInARow: 0 };
const model = trainedModel("opt-125m", 64);
const place = { rates, overhead: free, latencyMs: 1 };

describe("the model of scale", () => {
  test("has one worker take what one process takes, where messages cost nothing", () => {
    for (const split of Object.values(SPLITS))
      expect(stepSeconds(model, split(1), { ...place, workers: 1 })).toBeCloseTo(
        aloneSeconds(model, split(1), rates),
        12,
      );
  });

  test("has no speed-up by rows beyond their number, nor beyond Amdahl's limit, which z and moves set", () => {
    const at = (workers: number): number => stepSeconds(model, SPLITS.rows(workers), { ...place, workers });
    const serial = model.weights / rates.lookedPerSecond + model.weights / rates.movedPerSecond;
    const parallel = at(1) - serial;
    expect(at(16)).toBeCloseTo(serial + parallel / 16, 12);
    expect(at(1024)).toBe(at(16));
  });

  test("has a latency lengthen a step by as many times as messages follow each other", () => {
    const overhead = { fixedMs: 3, pieceMs: 0.5, messagesInARow: 6 };
    const at = (latencyMs: number): number =>
      stepSeconds(model, SPLITS.rows(4), { ...place, overhead, latencyMs, workers: 4 });
    expect(at(51) - at(1)).toBeCloseTo(0.3, 12);
  });

  test("counts the bytes of a worker's own rows, and of a ring's all-reduce as its two halves", () => {
    const sizes = { perPiece: 400, perToken: 6, perLine: 100, perDirection: 60 };
    expect(workerBytes(SPLITS.rows(16), 16, 64, sizes)).toBe(400 + 64 * 6 + 100 + 60);
    expect(workerBytes(SPLITS.directions(64), 64, 64, sizes)).toBe(400 + 64 * 6 + 100 + 4 * 60);
    expect(allReduceBytes(1e9, 2, 2)).toBe(2e9);
    expect(allReduceBytes(1e9, 2, 4)).toBe(3e9);
  });

  test("finds again what points were made from", () => {
    const made = { fixedMs: 2, pieceMs: 0.7, messagesInARow: 6 };
    const points = [0, 1, 50].flatMap((latencyMs) =>
      [1, 4, 16].map((shards) => ({ shards, latencyMs, stepMs: 2 + 0.7 * shards + 6 * latencyMs })),
    );
    const fit = fitOverhead(points);
    for (const name of ["fixedMs", "pieceMs", "messagesInARow"] as const) expect(fit[name]).toBeCloseTo(made[name], 9);
    const line = fitLine([1, 2, 8].map((x) => [x, 0.3 + 0.2 * x]));
    expect([line.start, line.slope]).toEqual([expect.closeTo(0.3, 9), expect.closeTo(0.2, 9)]);
  });
});
