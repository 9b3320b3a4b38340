import { type ChildProcess, fork } from "node:child_process";
import { existsSync } from "node:fs";
import { KitError, NotFinite } from "../error.ts";
import type { Run } from "../experiment/run.ts";
import { checkUnlocked, type Lock, lockRun } from "../experiment/runFile/lock.ts";
import { partOf } from "../experiment/runFile/part.ts";
import { readRun } from "../experiment/runFile/read.ts";
import { checkBegin } from "../experiment/runFile/write.ts";
import type { Progress } from "../tensor/progress.ts";
import { Interrupted } from "./exit.ts";
import { ownProgram } from "./frozen.ts";
import type { Job, Message } from "./job.ts";
import { LEAN_HEAP } from "./leanHeap.ts";

/** Whom a job's process reports to, and what stops it. */
export interface Supervision {
  readonly onProgress: Progress;
  readonly signal: AbortSignal;
}

/** Throws a KitError, before any of the jobs is begun, where another process is at one, and where one that was cut short is not to be resumed. */
export function checkJobs(jobs: readonly Job[]): void {
  for (const { file, options } of jobs) {
    checkUnlocked(file);
    if (!options.resume) checkBegin(file);
  }
}

/**
 * Does a job in a process of its own, so that its peak memory is its own too, and returns the run from its file. Throws the
 * signal's reason once it has aborted, and a KitError where the job failed or another process is at it; then the process is gone, and
 * the steps that the run has taken stay under its `.part` name, to be resumed.
 */
export async function inOwnProcess(job: Job, supervision: Supervision): Promise<Run> {
  supervision.signal.throwIfAborted();
  const lock = isOnlyRead(job) ? undefined : lockRun(job.file);
  try {
    await done(job, lock, supervision);
    return readRun(job.file);
  } finally {
    lock?.release();
  }
}

/** A finished run that is to be kept needs no lock, so that several commands and notebooks can show it at once. */
const isOnlyRead = ({ file, options }: Job): boolean => options.resume && existsSync(file) && !existsSync(partOf(file));

async function done(job: Job, lock: Lock | undefined, { onProgress, signal }: Supervision): Promise<void> {
  const child = fork(ownProgram("cli/worker.js"), {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    serialization: "advanced",
    execArgv: [...process.execArgv, ...LEAN_HEAP],
  });
  const stop = (): void => void child.kill("SIGKILL");
  signal.addEventListener("abort", stop);
  try {
    if (child.pid !== undefined) lock?.share(child.pid);
    // What the process had told before it was stopped may still arrive.
    await finished(child, job, (event) => void (signal.aborted || onProgress(event)));
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    stop();
    signal.removeEventListener("abort", stop);
  }
}

/** Sends the job; returns when its process has ended well, and throws a KitError when it has ended otherwise. */
function finished(child: ChildProcess, job: Job, onProgress: Progress): Promise<void> {
  const label = labelOf(job);
  return new Promise((done, failed) => {
    let last: Message | undefined;
    child.on("message", (message: Message) => {
      if ("note" in message) process.stderr.write(`${message.note}\n`);
      else if ("progress" in message)
        onProgress({ ...message.progress, label: labelled(label, message.progress.label) });
      else last = message;
    });
    child.on("error", (error) => failed(new KitError(`${label} got no process of its own (${error.message}).`)));
    child.on("close", (code, signal) => {
      if (last && "done" in last) done();
      else if (last && "error" in last) failed(new (last.isNotFinite ? NotFinite : KitError)(last.error));
      // Ctrl-C reaches the processes of a terminal in any order: the child may be gone before this one has heard of it.
      else if (signal === "SIGINT" || signal === "SIGTERM") failed(new Interrupted(signal));
      else failed(new KitError(`${label} ended early (${signal ?? `exit code ${code}`}): --resume goes on with it.`));
    });
    child.send(job);
  });
}

const labelled = (label: string, part: string): string =>
  label.startsWith(part) ? label : `${label}: ${part.replace(/^.*: /, "")}`;

/** "MeZO (LoRA) seed 2", with the task before it where there are several. */
function labelOf({ method, task, seed, options }: Job): string {
  const several = options.tasks === "all" || options.tasks.length > 1;
  return `${several ? `${task} ` : ""}${method}${options.seeds.length > 1 ? ` seed ${seed}` : ""}`;
}
