import { AsyncLocalStorage } from "node:async_hooks";
import { KitError } from "../error.ts";

/** Where the kernel keeps the signals that Interrupt aborts: one for all copies of the kit that cells may load. */
const KEY = Symbol.for("mezo-kit.cellSignals");

const kept = globalThis as unknown as Record<symbol, AsyncLocalStorage<AbortSignal> | undefined>;
const never = new AbortController().signal;

/**
 * Aborts when the reader presses Interrupt during the cell that calls, whichever runs by then: work that a cell left behind is still that
 * cell's. Its reason is a KitError that says so.
 */
export function cellSignal(): AbortSignal {
  return kept[KEY]?.getStore() ?? never;
}

/** Runs a cell with a signal of its own. */
export function withCellSignal<T>(signal: AbortSignal, cell: () => T): T {
  kept[KEY] ??= new AsyncLocalStorage();
  return kept[KEY].run(signal, cell);
}

/** What ends an interrupted cell. */
export const interruption = (): KitError =>
  new KitError(
    "Interrupted: run again, the cell resumes from here where its runs are written down (measure, recorded), and begins anew elsewhere.",
  );

/** What ends an interrupted cell whose work does not end with it. */
export const abandonment = (): KitError =>
  new KitError(
    "Interrupted: the cell no longer waits, but what it waited for goes on until it next checks for Interrupt, or to its end; restart the kernel to stop it.",
  );
