import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readTensor } from "../../src/checkpoints/safetensors.ts";
import { openSafetensors } from "../../src/checkpoints/safetensorsHeader.ts";
import { needs, shared } from "../shared.ts";
import { erf } from "./double.ts";
import { type DoubleConfig, doubleLogits } from "./doubleModels.ts";

interface Case {
  readonly name: string;
  readonly input_ids: number[][];
  readonly attention_mask: number[][];
  readonly logits_f64: number[][][];
}

interface Expected {
  readonly checkpoint: string;
  readonly config: string;
  readonly cases: readonly Case[];
}

const read = (name: string): string => readFileSync(shared(`golden/${name}`)!, "utf8");

/** The weights of a golden checkpoint, which keeps them in float32. */
function weightsOf(checkpoint: string): Map<string, Float64Array> {
  const file = openSafetensors(shared(`golden/${checkpoint}`)!);
  const floats = [...file.tensors].filter(([, { dtype }]) => dtype === "F32");
  return new Map(floats.map(([name]) => [name, Float64Array.from(readTensor(file, name))]));
}

test("the error function is that of tables", () => {
  const table = [
    [0, 0],
    [1e-3, 0.001128378790969236],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2, 0.9953222650189527],
    [4, 0.9999999845827421],
    [7, 1],
  ] as const;
  for (const [x, want] of table) {
    expect(erf(x)).toBeCloseTo(want, 14);
    expect(erf(-x)).toBeCloseTo(-want, 14);
  }
});

describe.each(["opt-tiny", "roberta-tiny"])("the forward pass in double precision of %s", (name) => {
  const file = `${name}.expected.json`;
  const absent = shared(`golden/${file}`) === undefined;

  test.skipIf(absent)(
    `gives the logits of float64 PyTorch${absent ? `: skipped, ${needs(`golden/${file}`)}` : ""}`,
    () => {
      const { checkpoint, config: configFile, cases } = JSON.parse(read(file)) as Expected;
      const config = JSON.parse(read(configFile)) as DoubleConfig & { readonly vocab_size: number };
      const weights = weightsOf(checkpoint);
      const answers = Array.from({ length: config.vocab_size }, (_, id) => id);
      let compared = 0;
      for (const { input_ids, attention_mask, logits_f64 } of cases)
        for (const [row, all] of input_ids.entries()) {
          const real = [...all.keys()].filter((i) => attention_mask[row]![i] === 1);
          const ids = Int32Array.from(real, (i) => all[i]!);
          for (const [at, i] of real.entries()) {
            const got = doubleLogits(config, weights, { ids, at, answers });
            const want = logits_f64[row]![i]!;
            expect(Math.max(...got.map((logit, k) => Math.abs(logit - want[k]!)))).toBeLessThan(1e-9);
            compared++;
          }
        }
      expect(compared).toBeGreaterThan(10);
    },
  );
});
