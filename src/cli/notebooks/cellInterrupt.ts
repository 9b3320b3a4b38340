import { createRequire } from "node:module";
import vm from "node:vm";
import type { KitError } from "../../error.ts";
import { abandonment, interruption, withCellSignal } from "../../notebook/display.ts";

const require = createRequire(import.meta.url);

/** How long an interrupted cell has to end by itself. */
const GRACE_MILLISECONDS = 5000;

/** What Interrupt does to the cell that runs. */
export interface CellInterrupt {
  /** Runs a cell, which no one has interrupted yet. Throws the sentence where it ran to its end since nothing in it looked at the signal. */
  during<T>(cell: () => Promise<T>): Promise<T>;
  /** Work that looks at the signal ends the cell with its own error; what does not, or a second Interrupt, ends the waiting for it. */
  press(): void;
  /** The kit's sentence for an error that is Node's or tslab's own word for Interrupt; other errors as they are. */
  explain(error: unknown): unknown;
}

/** Waits for whole turns of the event loop, in which signals arrive and rejections that nobody awaits are reported. */
export async function turns(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise((resume) => setImmediate(resume));
}

/** `stopWaiting` is tslab's answer to Interrupt: the cell no longer waits, but what it waited for continues while later cells run. */
export function cellInterrupt(stopWaiting: () => void): CellInterrupt {
  let controller = new AbortController();
  const abort = (): KitError => {
    controller.abort(interruption());
    return controller.signal.reason as KitError;
  };
  runAfterSignals(() => controller.signal.throwIfAborted());
  return {
    during: async (cell) => {
      if (controller.signal.aborted) controller = new AbortController();
      const { signal } = controller;
      const result = await withCellSignal(signal, cell);
      await turns();
      signal.throwIfAborted();
      return result;
    },
    press: () => {
      if (controller.signal.aborted) {
        stopWaiting();
        return;
      }
      const interrupted = controller;
      abort();
      setTimeout(() => void (controller === interrupted && stopWaiting()), GRACE_MILLISECONDS).unref();
    },
    explain: (error) => {
      const { code, message } = Object(error) as { readonly code?: unknown; readonly message?: unknown };
      if (code === "ERR_SCRIPT_EXECUTION_INTERRUPTED") {
        forgetHalfLoaded();
        return abort();
      }
      return message === "Interrupted asynchronously" ? abandonment() : error;
    },
  };
}

/** When Node begins to watch for signals itself, it drops one that came while the cell was compiled: that one is handled first. */
function runAfterSignals(stopIfAborted: () => void): void {
  const plain = vm.runInThisContext;
  vm.runInThisContext = (code, options) => {
    if (typeof options !== "object" || !options.breakOnSigint) return plain(code, options);
    return turns().then(() => {
      stopIfAborted();
      return plain(code, options);
    });
  };
}

/** Node stops a cell's synchronous part wherever it is: a module that was being loaded there would stay half of itself for good. */
function forgetHalfLoaded(): void {
  for (const [name, module] of Object.entries(require.cache)) if (module?.loaded === false) delete require.cache[name];
}
