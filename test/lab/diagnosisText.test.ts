import { expect, test } from "vitest";
import type { Diagnosis } from "../../src/lab/diagnose.ts";
import { diagnosisText } from "../../src/lab/report.ts";

/** A made-up diagnosis with which nothing is wrong. */
const calm: Diagnosis = {
  ...{ model: "tiny", task: "SST-2", method: "MeZO", trainingRows: 1000, loss: 0.7031 },
  ...{ products: "difference", processor: "avx512bf16" },
  settings: { lr: 1e-6, eps: 1e-3, batchSize: 16, seed: 0 },
  sweep: { eps: [1e-6, 1e-3, 1], slopes: [[1, 1, 1]] },
  plateau: { from: 1e-5, to: 1e-1 },
  rounding: { deviation: 0.02, share: 0.05 },
  signal: {
    ...{ draws: 8, batches: 4, meanSize: 2, overDraws: 1.5, overBatches: 0.5, ratio: 1.2, evenBatch: 10.4 },
    agreement: { same: 20, of: 32 },
  },
  curvature: { eps: 1e-3, mean: 50, standardError: 5 },
  bestRate: 1e-5,
  swallowed: { of: 5000, float32: 1, float16: 1250, bfloat16: 2500 },
  prompt: {
    ...{ metric: "accuracy", rows: 500, zeroShot: { score: 0.7, standardError: 0.02 }, above: 9 },
    floor: { kind: "majority", score: 0.5, standardError: 0.022 },
  },
  suggested: { eps: 1e-3, lr: 1e-6, batchSize: 16 },
};

/** The text without its line breaks. */
const textOf = (found: Diagnosis): string => diagnosisText(found).replace(/\s+/g, " ");

test.each<[string, (found: Diagnosis) => Diagnosis, string]>([
  ["the settings and the loss", (found) => found, "lr 1e-6, eps 0.001, batch 16, seed 0; the loss is 0.703."],
  ["where and how it was computed", (found) => found, "Computed with products difference, on AVX-512 with BF16."],
  [
    "a prompt that helps",
    (found) => found,
    "accuracy of 70.0 ± 2.0 % over 500 rows, the majority class 50.0 ± 2.2 %: the prompt makes the model know something",
  ],
  [
    "a prompt that does not",
    (found) => ({ ...found, prompt: { ...found.prompt, above: 2 } }),
    "not clearly better. MeZO needs a prompt",
  ],
  [
    "an eps on the plateau",
    (found) => found,
    "from eps 1e-5 to 0.1 (below, rounding decides; above, how the loss bends). 0.001 is inside it.",
  ],
  [
    "an eps below it",
    (found) => ({ ...found, plateau: { from: 1e-2, to: 1 }, suggested: { ...found.suggested, eps: 3e-2 } }),
    "(below, rounding decides; larger ones were not tried). 0.001 lies below; 0.03 is well inside.",
  ],
  [
    "an eps above it",
    (found) => ({ ...found, plateau: { from: 1e-6, to: 1e-4 }, suggested: { ...found.suggested, eps: 3e-5 } }),
    "(smaller ones were not tried; above, how the loss bends). 0.001 lies above; 3e-5 is well inside.",
  ],
  [
    "rounding that does not matter",
    (found) => found,
    "g is off by 0.02 through float rounding, 5.0 % of its size: that is not what limits it.",
  ],
  [
    "rounding that does",
    (found) => ({ ...found, rounding: { deviation: 0.3, share: 0.11 } }),
    "11.0 % of its size: too much, take a larger eps.",
  ],
  ["the signal", (found) => found, "Signal to noise of one batch is 1.2; it would be 1 with 10 examples."],
  [
    "halves that agree more than by chance",
    (found) => found,
    "the same sign in 20 of 32 cases (by chance 16): a batch of 16 does",
  ],
  [
    "a batch that is too small",
    (found) => ({ ...found, suggested: { ...found.suggested, batchSize: 64 } }),
    "larger batches pay; 64 to begin with.",
  ],
  ["the curvature", (found) => found, "bends by 50 ± 5 (measured at eps 0.001)"],
  [
    "a rate that is about right",
    (found) => found,
    "a learning rate of 1e-5, with twice that not at all. As the signal shrinks with the loss, a run needs about a tenth. 1e-6 is about that.",
  ],
  [
    "a rate that is too large",
    (found) => ({ ...found, settings: { ...found.settings, lr: 2e-5 } }),
    "2e-5 is too large.",
  ],
  [
    "a rate that is likely too large",
    (found) => ({ ...found, settings: { ...found.settings, lr: 5e-6 } }),
    "5e-6 is likely too large for a long run.",
  ],
  [
    "a rate that is slow",
    (found) => ({ ...found, settings: { ...found.settings, lr: 9e-8 } }),
    "9e-8 is safe, but slow.",
  ],
  [
    "a loss that does not bend upwards",
    ({ bestRate: _, ...found }) => ({ ...found, suggested: { eps: 1e-3, batchSize: 16 } }),
    ", not upwards: no learning rate follows from it; begin with the paper's grid",
  ],
  [
    "what a step leaves as it is",
    (found) => found,
    "leaves less than 0.1 % of 5,000 weights as they are in float32; float16 would leave 25.0 %, bfloat16 50.0 %",
  ],
  [
    "a step of which most is lost",
    (found) => ({ ...found, swallowed: { ...found.swallowed, float32: 2600 } }),
    "52.0 % of 5,000 weights as they are in float32: most of it is lost, the rate is too small",
  ],
  ["what to begin with", (found) => found, "To begin with --eps 0.001 --lr 1e-6 --batch-size 16."],
])("a diagnosis tells of %s", (_what, changed, sentence) => {
  expect(textOf(changed(calm))).toContain(sentence);
});
