import { Worker } from "node:worker_threads";

/** What one case may take: seconds of processor time, whatever else the machine does, and bytes beside what the process had. */
const SECONDS = 10;
const BYTES = 1e9;

/** Looks on from a thread of its own, since what hangs does not answer; names the case and ends the process. */
const LOOK = `
const { workerData: { seed, reader, SECONDS, BYTES } } = require("node:worker_threads");
const { writeSync } = require("node:fs");
const seconds = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1e6; };
const bytes = () => process.memoryUsage.rss();
let last = -1, since = 0, before = 0;
setInterval(() => {
  const now = Atomics.load(seed, 0);
  if (now !== last) [last, since, before] = [now, seconds(), before || bytes()];
  if (now < 0) return;
  const what = seconds() - since > SECONDS ? "no end in " + SECONDS + " s of processor time"
    : bytes() - before > BYTES ? "more than 1 GB of memory" : undefined;
  if (what === undefined) return;
  writeSync(2, JSON.stringify({ fault: { reader, seed: now, what } }) + "\\n");
  process.kill(process.pid, "SIGKILL");
}, 200);
`;

/** Watches over a reader's cases: told of each as it begins, and of the end of all. */
export interface Watchdog {
  readonly begin: (seed: number) => void;
  readonly end: () => Promise<unknown>;
}

/** Starts to watch: a case that takes too long or too much memory ends the process, with a line of JSON that names it on stderr. */
export function watch(reader: string): Watchdog {
  const seed = new Int32Array(new SharedArrayBuffer(4)).fill(-1);
  const worker = new Worker(LOOK, { eval: true, workerData: { seed, reader, SECONDS, BYTES } });
  worker.unref();
  return { begin: (now) => void Atomics.store(seed, 0, now), end: () => worker.terminate() };
}
