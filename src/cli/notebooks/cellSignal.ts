/** Where the kernel keeps the signal that Interrupt aborts during the cell that runs. */
const KEY = Symbol.for("mezo-kit.cellSignal");

const kept = globalThis as unknown as Record<symbol, AbortSignal | undefined>;
const never = new AbortController().signal;

/** Aborts when the reader presses Interrupt during the cell that runs. */
export function cellSignal(): AbortSignal {
  return kept[KEY] ?? never;
}

/** Gives the cell that runs its signal. */
export function setCellSignal(signal: AbortSignal): void {
  kept[KEY] = signal;
}
