import type { Method } from "../experiment/run.ts";

/** The methods in the order of the paper's Table 1. */
export const methods: readonly Method[] = ["Majority", "Zero-shot", "ICL", "MeZO"];

/** Methods that use a model and are drawn as marks; the majority class is a line. */
export type MarkedMethod = Exclude<Method, "Majority">;

/** Whether a method uses a model. */
export function isMarked(method: Method): method is MarkedMethod {
  return method !== "Majority";
}

/** The marked methods in the order of the paper's Table 1. */
export const markedMethods: readonly MarkedMethod[] = methods.filter(isMarked);
