import { Interrupted } from "../measure/runJob.ts";

/** Returns a signal that aborts, with an `Interrupted`, when the process is sent SIGINT or SIGTERM, which no longer end it. */
export function abortOnSignals(): AbortSignal {
  const controller = new AbortController();
  // npm passes Ctrl-C on to a process that had it from the terminal already: the listeners stay for the second one.
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => controller.abort(new Interrupted(signal)));
  return controller.signal;
}

/** Returns what the work returns; throws the signal's reason as soon as it aborts, with the work left to itself. */
export function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const aborted = new Promise<never>((_, failed) =>
    signal.addEventListener("abort", () => failed(signal.reason), { once: true }),
  );
  return Promise.race([work, aborted]);
}
