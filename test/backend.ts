import { describe } from "vitest";
import type { BackendName } from "../src/tensor/backend.ts";

/** The backend that the tests run on: native, or the one that MEZO_BACKEND names, which test/checkBackend.ts has found to be here. */
export const BACKEND: BackendName = (process.env.MEZO_BACKEND || "native") as BackendName;

/** What a test needs of the backend: whether it is here, and why not where it is not. */
export interface Need {
  readonly here: boolean;
  readonly why: string;
}

/** Weights in 16 bits. */
export const HALVES: Need = { here: !["cpu", "wasm"].includes(BACKEND), why: "weights are float32 there" };

/** What is native's own: how it is made, not what any backend gives. */
export const NATIVES_OWN: Need = { here: BACKEND === "native", why: "this is of native itself" };

/** A describe that is skipped where what it needs is not here, its name saying so. */
export const describeWhere = ({ here, why }: Need, name: string, body: () => void): void =>
  void describe.skipIf(!here)(name + skipped({ here, why }), body);

/** What is added to the name of a test that is skipped on this backend: nothing where it is not. */
export const skipped = ({ here, why }: Need): string => (here ? "" : ` (skipped on ${BACKEND}: ${why})`);

/** Why tests are left out, by how their file's path in test/, or that and their name, begins. */
type Reasons = Readonly<Record<string, string>>;

const list = (why: string, beginnings: readonly string[]): Reasons =>
  Object.fromEntries(beginnings.map((beginning) => [beginning, why]));

/** What no backend but native has. */
const OF_NATIVE: Reasons = {
  ...list(NATIVES_OWN.why, ["tensor/native/", "tensor/x86/"]),
  ...list("the kit's library for x86-64 is native's", ["kernels/matrix.test.ts"]),
  ...list("it predicts what native's kernels and pool of buffers take", [
    "experiment/memoryPlan.test.ts",
    "experiment/scripted/tune.test.ts: says its steps, and predicts",
  ]),
};

const OF_HALVES: Reasons = list(HALVES.why, [
  "models/weights.test.ts",
  "models/gguf.test.ts: has the weights and logits of the checkpoint that it was made of",
  "models/save.test.ts: in F16",
  "models/save.test.ts: in BF16",
  "models/tuned.test.ts: is tuned by MeZO, and its run replayed to the weights' hash: all weights in bfloat16",
  "experiment/replay.test.ts: of weights kept in 16 bits",
  "experiment/replay.test.ts: gives weights as near as 16 bits",
  "experiment/saveTuned.test.ts: a model in 16 bits",
  "experiment/saveTuned.test.ts: an adapter of a model in 16 bits",
]);

const LEFT_OUT: Readonly<Record<BackendName, Reasons>> = {
  native: {},
  cpu: { ...OF_NATIVE, ...OF_HALVES },
  wasm: { ...OF_NATIVE, ...OF_HALVES },
  tensorflow: {
    ...OF_NATIVE,
    ...list("TensorFlow.js's Node package brings the gradients of all operations itself", [
      "tensor/gradients.test.ts",
      "tensor/missingGradients.test.ts",
      "tensor/backpropagate.test.ts: what was saved is freed",
    ]),
  },
  webgpu: {
    ...OF_NATIVE,
    ...list("it reads results at once, which the GPU's cannot be", [
      "tensor/gradients.test.ts",
      "tensor/missingGradients.test.ts",
      "tensor/backpropagate.test.ts",
      "tensor/trace.test.ts",
    ]),
  },
};

/** Why a test is left out on this backend, given its file's path in test/ and its name; undefined where it is not. */
export function whyLeftOut(path: string, name: string): string | undefined {
  return Object.entries(LEFT_OUT[BACKEND]).find(([beginning]) => `${path}: ${name}`.startsWith(beginning))?.[1];
}
