import { KitError } from "../error.ts";
import { strip } from "../text/strip.ts";
import { numpyIntegers, numpyPermutation } from "./numpy.ts";
import type { Example } from "./task.ts";

/** A seed for the demonstrations of each of `n` evaluated rows, as the authors' code draws them under its seed 0. */
export function demonstrationSeeds(n: number, seed: number): number[] {
  return numpyIntegers(10_000, n, seed);
}

/**
 * The texts of `shots` different examples with their right answers: the first of NumPy's permutation of the pool under the seed, as the
 * authors' code draws them; all of them where there are fewer.
 */
export function demonstrations(
  pool: readonly Example[],
  { shots, seed }: { readonly shots: number; readonly seed: number },
): string[] {
  return numpyPermutation(pool.length, seed)
    .slice(0, shots)
    .map((i) => verbalize(pool[i]!));
}

/** The prompt with its first right answer, white space stripped at both ends. Throws where the example has no autoregressive form. */
export function verbalize({ autoregressive, gold }: Example): string {
  if (!autoregressive)
    throw new KitError(
      "A demonstration was to be made of an example for masked models; choose a task with autoregressive prompts.",
    );
  return strip(autoregressive.prompt + autoregressive.options[gold[0]!]!);
}
