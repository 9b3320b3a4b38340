import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";

/** As it is built, since a run's process is. */
const built = join(import.meta.dirname, "../../dist/notebook/index.js");

const small = { train: 32, dev: 8, test: 8, steps: 3, batchSize: 4, threads: 1 };

test("a grid continues after a rate at which training diverges, and returns the runs of the best of the others", async () => {
  const { measure } = (await import(built)) as typeof import("../../src/notebook/index.ts");
  const out = mkdtempSync(join(tmpdir(), "grid-"));
  vi.stubEnv("MEZO_SCALE", undefined);
  const write = vi.spyOn(process.stdout, "write").mockImplementation(() => true);
  const runs = await measure({ ...small, methods: ["MeZO"], grid: { MeZO: [1e38, 1e-4] }, out }, () => {});
  const printed = write.mock.calls.map(([text]) => String(text)).join("");
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  expect(runs.map(({ header }) => header.tuner?.options.lr)).toEqual([1e-4]);
  expect(printed).toMatch(/^MeZO on SST-2: learning rate 1e-4 \(best on dev: 1e38 diverged, 1e-4 [\d.]+ %\)\n$/);
  expect(existsSync(join(out, "grid/lr-1e-4/sst-2-opt-reviews-mezo-seed1.jsonl"))).toBe(true);
  expect(existsSync(join(out, "grid/lr-1e38/sst-2-opt-reviews-mezo-seed1.jsonl"))).toBe(false);
});
