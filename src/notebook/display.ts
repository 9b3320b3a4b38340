import { AsyncLocalStorage } from "node:async_hooks";
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
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
    "Interrupted: run again, the cell resumes from here where its runs are written down (measure, recorded), and starts over elsewhere.",
  );

/** What ends an interrupted cell whose work does not end with it. */
export const abandonment = (): KitError =>
  new KitError(
    "Interrupted: the cell no longer waits, but its work continues until it next checks for Interrupt, or to its end; restart the kernel to stop it.",
  );

/** Throws a KitError once the reader has pressed Interrupt: for your own loops. */
export function stopIfInterrupted(): void {
  cellSignal().throwIfAborted();
}

/** The work's result, or the KitError as soon as the reader presses Interrupt; what the work gives after that is dropped. */
export async function unlessInterrupted<T>(work: Promise<T>): Promise<T> {
  const signal = cellSignal();
  if (signal.aborted) work.catch(() => {}); // no one else handles it
  signal.throwIfAborted();
  let stop = (): void => {};
  const stopped = new Promise<never>((_, failed) => {
    stop = () => failed(signal.reason);
  });
  signal.addEventListener("abort", stop);
  try {
    return await Promise.race([work, stopped]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

const require = createRequire(import.meta.url);

/** One output in several forms, by MIME type; a viewer shows the richest that it knows. */
export type MimeBundle = Readonly<Record<string, unknown>>;

/** The parts of tslab that write to the notebook; its public functions write one MIME type each. */
interface Kernel {
  lastWriteDisplayData?: ((message: object, update: boolean) => void) | null;
}

/** An output that can be replaced in place. */
export interface Shown {
  /** Puts another output in its place; only the last one is stored. */
  replace(bundle: MimeBundle): void;
}

/** Shows an output in the cell that runs. Outside a notebook its text is printed. */
export function display(bundle: MimeBundle): Shown {
  const id = randomBytes(8).toString("hex");
  write(bundle, id, false);
  return { replace: (next) => write(next, id, true) };
}

function write(data: MimeBundle, id: string, isUpdate: boolean): void {
  const send = kernel()?.lastWriteDisplayData;
  if (send) send({ data, metadata: {}, transient: { display_id: id } }, isUpdate);
  else if (!isUpdate && data["text/plain"] !== undefined) process.stdout.write(`${String(data["text/plain"])}\n`);
}

function kernel(): Kernel | undefined {
  return Object.keys(require.cache).some((file) => /tslab[\\/]dist[\\/]jupyter\.js$/.test(file))
    ? (require("tslab/dist/jupyter.js") as Kernel)
    : undefined;
}

/**
 * tslab 1.0.22 does not await its sends, and zeromq.js 6 makes every 513th of them asynchronous and refuses others meanwhile, so that a
 * stock kernel loses output. With no time to wait, none is asynchronous.
 */
function keepOutput(): void {
  if (!kernel()) return;
  const { Publisher } = require("zeromq") as { Publisher: { prototype: Socket } };
  const plain = Publisher.prototype.send;
  // The inherited method is read-only: a plain assignment would be ignored.
  Object.defineProperty(Publisher.prototype, "send", {
    ...{ configurable: true, writable: true },
    value(this: Socket, message: unknown) {
      this.sendTimeout = 0;
      return plain.call(this, message);
    },
  });
}

interface Socket {
  sendTimeout: number;
  send(message: unknown): Promise<void>;
}

keepOutput();
