import { KitError } from "../error.ts";
import { strip } from "../text/strip.ts";
import { shuffle } from "./shuffle.ts";
import type { Example } from "./task.ts";

/**
 * The texts of `shots` different training examples with their right answers, drawn by run seed and, where it is given, example index:
 * anew for every evaluated example, or without an index the same for all; all of them where there are fewer. Unlike the paper, whose
 * code draws from the whole training split, they come from the training part that was drawn (1,000 rows by default).
 */
export function demonstrations(
  train: readonly Example[],
  { shots, seed, index }: { readonly shots: number; readonly seed: number; readonly index?: number },
): string[] {
  return shuffle(train, `demonstrations/${seed}/${index ?? "all"}`)
    .slice(0, shots)
    .map(verbalize);
}

/** The prompt with its first right answer, white space stripped at both ends. Throws where the example has no autoregressive form. */
export function verbalize({ autoregressive, gold }: Example): string {
  if (!autoregressive)
    throw new KitError(
      "A demonstration was to be made of an example for masked models; choose a task with autoregressive prompts.",
    );
  return strip(autoregressive.prompt + autoregressive.options[gold[0]!]!);
}
