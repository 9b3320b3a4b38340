import { cellSignal } from "./cellSignal.ts";

/** Throws a KitError once the reader has pressed Interrupt: for loops of one's own. */
export function stopIfInterrupted(): void {
  cellSignal().throwIfAborted();
}

/** The work's result, or the KitError as soon as the reader presses Interrupt; what the work gives after that is dropped. */
export async function unlessInterrupted<T>(work: Promise<T>): Promise<T> {
  const signal = cellSignal();
  if (signal.aborted) work.catch(() => {}); // nobody hears it
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
