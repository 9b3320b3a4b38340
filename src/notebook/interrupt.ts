import { cellSignal } from "../cli/notebooks/cellSignal.ts";

/** Throws a KitError once the reader has pressed Interrupt: for loops of one's own. */
export function stopIfInterrupted(): void {
  cellSignal().throwIfAborted();
}
