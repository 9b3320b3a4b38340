import type { Run } from "../experiment/run.ts";

/** The methods in the order of the paper's Tables 1 and 18. */
export const methods: readonly string[] = [
  "Majority",
  "Zero-shot",
  "ICL",
  "LP",
  "FT",
  "FT (LoRA)",
  "FT (prefix)",
  "MeZO",
  "MeZO (LoRA)",
  "MeZO (prefix)",
];

/** Whether a method uses a model and is drawn as a mark; the majority class is a line. */
export function isMarked(method: string): boolean {
  return method !== "Majority";
}

/** The methods of the runs: first those of the paper's tables in their order, then others as they come. */
export function methodsOf(runs: readonly Run[]): string[] {
  const own = new Set(runs.map(({ header }) => header.method));
  return [...methods.filter((method) => own.has(method)), ...[...own].filter((method) => !methods.includes(method))];
}
