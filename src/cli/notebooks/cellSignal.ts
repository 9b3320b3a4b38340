import { KitError } from "../../error.ts";

/** Where the kernel keeps the signal that Interrupt aborts during the cell that runs. */
const KEY = Symbol.for("mezo-kit.cellSignal");

const kept = globalThis as unknown as Record<symbol, AbortSignal | undefined>;
const never = new AbortController().signal;

/** Aborts when the reader presses Interrupt during the cell that runs; its reason is a KitError that says so. */
export function cellSignal(): AbortSignal {
  return kept[KEY] ?? never;
}

/** What ends an interrupted cell. */
export const interruption = (): KitError =>
  new KitError(
    "Interrupted: run again, the cell goes on from here where its runs are written down (measure, recorded), and begins anew elsewhere.",
  );

/** Gives the cell that runs its signal. */
export function setCellSignal(signal: AbortSignal): void {
  kept[KEY] = signal;
}
