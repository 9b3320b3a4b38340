import { strip } from "../text/strip.ts";
import { shuffle } from "./shuffle.ts";
import type { Example } from "./task.ts";

/**
 * Returns the texts of `shots` different training examples with their right answers, drawn anew for every evaluated
 * example by run seed and example index, as the paper does it; all of them where there are fewer.
 */
export function demonstrations(
  train: readonly Example[],
  { shots, seed, index }: { readonly shots: number; readonly seed: number; readonly index: number },
): string[] {
  return shuffle(train, `demonstrations/${seed}/${index}`).slice(0, shots).map(verbalize);
}

/** Returns the prompt with its right answer, white space stripped at both ends. */
export function verbalize({ prompt, options, gold }: Example): string {
  return strip(prompt + options[gold]!);
}
