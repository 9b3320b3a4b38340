import { cellSignal } from "../cli/notebooks/cellSignal.ts";
import { KitError } from "../error.ts";

/** Throws a KitError once the reader has pressed Interrupt: for loops of one's own. */
export function stopIfInterrupted(): void {
  if (cellSignal().aborted)
    throw new KitError("Interrupted: what was finished is kept, and running the cell again goes on from there.");
}
