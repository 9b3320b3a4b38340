import { describe, expect, test } from "vitest";
import { probeBackends, storage, useBackend } from "../../../src/tensor/backend.ts";
import { narrow, widenAll } from "../../../src/tensor/halves.ts";
import { noiseKey, wholeStretch } from "../../../src/tensor/noise/key.ts";
import { moveMany } from "../../../src/tensor/noise/sweep.ts";
import type { Source } from "../../../src/tensor/source.ts";
import { tensorBytes } from "../../../src/tensor/tensorflow/memory.ts";
import { valuesOf } from "../../values.ts";
import { countDifferent, weight } from "./weights.ts";

const { available, detail } = (await probeBackends()).find(({ name }) => name === "tensorflow")!;
/** The shape of OPT-125M's embedding, and one of so odd a size that parts cannot be whole rows. */
const [EMBEDDING, ODD] = [
  [50272, 768],
  [5_000_011, 3],
] as const;
const CASES = [
  { shape: EMBEDDING, law: "gaussian", format: "float32" },
  { shape: EMBEDDING, law: "gaussian", format: "float16" },
  { shape: EMBEDDING, law: "rademacher", format: "bfloat16" },
  { shape: ODD, law: "rademacher", format: "float32" },
  { shape: ODD, law: "rademacher", format: "float16" },
  { shape: ODD, law: "gaussian", format: "bfloat16" },
] as const;

describe.skipIf(!available)(`large weights on TensorFlow${available ? "" : ` (skipped: ${detail})`}`, () => {
  test.each(CASES)(
    "have the bits of the kit's own moves, with a part in memory at a time: $shape, $law, $format",
    async ({ shape, law, format: kind }) => {
      const format = kind === "float32" ? undefined : kind;
      expect(await useBackend("tensorflow")).toBe("tensorflow");
      const values = Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => 0.02 * Math.sin(i));
      const moves = [0.99, 1].map((keep, step) => ({ key: noiseKey(7, step, "embedding"), scale: 1e-3, keep }));
      const tensor = weight(values, format, "stochastic", shape);
      storage().move([{ tensor, moves: [{ ...moves[0]!, scale: 0, keep: 1 }] }], law); // makes the numbers that are kept
      const before = tensorBytes.now();
      tensorBytes.resetPeak();
      storage().move([{ tensor, moves }], law);
      expect(tensorBytes.now()).toBe(before);
      expect(tensorBytes.peak() - before).toBeLessThan(48 * 2 ** 20);
      const kept: Source = format ? { bits: new Uint16Array(values.length), format, rounding: "stochastic" } : values;
      if ("bits" in kept) narrow(values, kept, 0);
      moveMany([wholeStretch(kept, moves, law)]);
      expect(countDifferent(await valuesOf(tensor), "bits" in kept ? widenAll(kept) : kept)).toBe(0);
      tensor.dispose();
      await useBackend("native");
    },
  );
});
