import { cpus } from "node:os";
import { viewTensor } from "./native/backend.ts";
import { type Backend, inMemory } from "./storage.ts";

/** The processor's name, for people. */
export const processor = (): string => cpus()[0]?.model.trim() || process.arch;

/** TensorFlow.js's own backend in plain JavaScript: a hundred times slower than native, for checks. */
export const cpu: Backend = {
  about: "plain TensorFlow.js, slow, for checks; always there",
  storage: inMemory((tensor) => viewTensor(tensor).values as Float32Array),
  load: async () => processor(),
};
