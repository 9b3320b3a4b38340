import { processorLevel } from "../x86/library.ts";
import { moveInLibrary } from "../x86/moves.ts";
import type { Stretch } from "./key.ts";
import { moveInPieces } from "./pieces.ts";

let milliseconds = 0;

/**
 * theta[i] = theta[i] * keep + scale * z[i] in float32, move by move, for all weights of a model at once (PerturbParameters of
 * Algorithm 1); or both sides theta[i] ± scale * z[i] with one z, theta staying as it is. The kit's own
 * library does it where it is for this processor, else WebAssembly, to the same bits. Weights in 16 bits are rounded after each move. All stretches have one law; no two may write to the same
 * elements: they are worked on at the same time.
 */
export function moveMany(stretches: readonly Stretch[]): void {
  const started = performance.now();
  if (processorLevel() === "none") moveInPieces(stretches);
  else moveInLibrary(stretches);
  milliseconds += performance.now() - started;
}

/** Seconds that `moveMany` took since the process began. */
export function secondsInNoise(): number {
  return milliseconds / 1e3;
}
