import { strip } from "../text/strip.ts";
import { shuffle } from "./shuffle.ts";
import type { Example } from "./task.ts";

/**
 * The texts of `shots` different training examples with their right answers, drawn anew for every evaluated example by
 * run seed and example index; all of them where there are fewer. Unlike the paper, whose code draws from the whole
 * training split, they come from the training part that was drawn (1,000 rows by default).
 */
export function demonstrations(
  train: readonly Example[],
  { shots, seed, index }: { readonly shots: number; readonly seed: number; readonly index: number },
): string[] {
  return shuffle(train, `demonstrations/${seed}/${index}`).slice(0, shots).map(verbalize);
}

/** The prompt with its right answer, white space stripped at both ends. */
export function verbalize({ prompt, options, gold }: Example): string {
  return strip(prompt + options[gold]!);
}
