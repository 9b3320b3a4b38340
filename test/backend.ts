import type { BackendName } from "../src/tensor/backend.ts";

/** The backend that the tests run on: native, or the one that MEZO_BACKEND names, which test/checkBackend.ts has found to be here. */
export const BACKEND: BackendName = (process.env.MEZO_BACKEND || "native") as BackendName;
