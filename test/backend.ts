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
export const HALVES: Need = {
  here: ["native", "tensorflow", "webgpu"].includes(BACKEND),
  why: "weights are float32 there",
};

/** What is native's own: how it is made, not what any backend gives. */
export const NATIVES_OWN: Need = { here: BACKEND === "native", why: "this is of native itself" };

/** A describe that is skipped where what it needs is not here, its name saying so. */
export const describeWhere = ({ here, why }: Need, name: string, body: () => void): void =>
  void describe.skipIf(!here)(name + skipped({ here, why }), body);

/** What is added to the name of a test that is skipped on this backend: nothing where it is not. */
export const skipped = ({ here, why }: Need): string => (here ? "" : ` (skipped on ${BACKEND}: ${why})`);

/** Files of tests that other backends than native leave out, by how their paths in test/ begin, and why. */
const LEFT_OUT: Readonly<Partial<Record<BackendName | "others", Readonly<Record<string, string>>>>> = {
  others: {
    "tensor/native/": NATIVES_OWN.why,
    "tensor/x86/": NATIVES_OWN.why,
    "kernels/matrix.test.ts": "the kit's library for x86-64 is native's",
    "experiment/memoryPlan.test.ts": "it predicts what native's pool of buffers takes",
  },
  tensorflow: {
    "tensor/gradients.test.ts": "TensorFlow.js's Node package brings the gradients of all operations itself",
    "tensor/missingGradients.test.ts": "TensorFlow.js's Node package brings the gradients of all operations itself",
  },
};

/** Why a file of tests is left out on this backend; undefined where it is not. */
export function whyLeftOut(path: string): string | undefined {
  if (BACKEND === "native") return undefined;
  const reasons = Object.entries({ ...LEFT_OUT.others, ...LEFT_OUT[BACKEND] });
  return reasons.find(([beginning]) => path.startsWith(beginning))?.[1];
}
