import { existsSync } from "node:fs";
import { constants } from "node:os";
import { KitError } from "../error.ts";
import { checkUnlocked, lockRun } from "../record/lock.ts";
import { partOf } from "../record/part.ts";
import { readRun } from "../record/read.ts";
import type { Run } from "../record/run.ts";
import { checkBegin } from "../record/write.ts";
import type { Progress, ProgressEvent } from "../tensor/progress.ts";
import type { Job } from "./plan.ts";
import { ownProgram, ProcessEnded, runProcess } from "./process.ts";

/** A command that was stopped by SIGINT or SIGTERM; it exits with what shells report for the signal: 130 or 143. */
export class Interrupted extends KitError {
  readonly exitCode: number;

  constructor(signal: "SIGINT" | "SIGTERM") {
    super("Interrupted: finished runs are kept, and --resume resumes the one that was under way.");
    this.exitCode = 128 + constants.signals[signal];
  }
}

/** Whom a job's process reports to, and what stops it. */
export interface Supervision {
  readonly onProgress: Progress;
  readonly signal: AbortSignal;
}

/** Throws a KitError, before any job starts, where another process is running one, and where one that was cut short would not be resumed. */
export function checkJobs(jobs: readonly Job[]): void {
  for (const { file, request } of jobs) {
    checkUnlocked(file);
    if (!request.resume) checkBegin(file);
  }
}

/**
 * Does a job in a process of its own, so that its peak memory is its own too, and returns the run from its file. Throws the
 * signal's reason once it has aborted, and a KitError where the job failed or another process is at it; then the process is gone, and
 * the steps that the run has taken stay under its `.part` name, to be resumed.
 */
export async function runJob(job: Job, { onProgress, signal }: Supervision): Promise<Run> {
  signal.throwIfAborted();
  const lock = isOnlyRead(job) ? undefined : lockRun(job.file);
  const label = labelJob(job);
  try {
    await runProcess<void, ProgressEvent>({
      ...{ program: ownProgram("measure/worker.js"), job, signal },
      onProgress: (event) => onProgress(withLabel(label, job.method, event)),
      onStart: (pid) => lock?.share(pid),
    });
    return readRun(job.file);
  } catch (error) {
    throw error instanceof ProcessEnded ? endError(error, label, job) : error;
  } finally {
    lock?.release();
  }
}

/** A finished run that is to be kept needs no lock, so that several commands and notebooks can show it at once. */
export const isOnlyRead = ({ file, request }: Job): boolean =>
  request.resume && existsSync(file) && !existsSync(partOf(file));

function endError({ message, signal }: ProcessEnded, label: string, { request }: Job): KitError {
  // Ctrl-C reaches the processes of a terminal in any order: the run's may be gone before this one knows of it.
  if (signal === "SIGINT" || signal === "SIGTERM") return new Interrupted(signal);
  const resume = request.resume ? "run it again to resume it" : "--resume resumes it";
  return new KitError(`${label} ended early (${message}): ${resume}.`);
}

/** The event as one of the job: what is not the method itself, such as loading, is a part of it. */
function withLabel(label: string, method: string, event: ProgressEvent): ProgressEvent {
  const part = event.part ?? (event.label === method ? undefined : event.label);
  return { ...event, label, ...(part !== undefined && { part }) };
}

/** "MeZO (LoRA) seed 2", with the task before it where there are several. */
export function labelJob({ method, task, seed, request }: Job): string {
  const several = request.tasks === "all" || request.tasks.length > 1;
  return `${several ? `${task} ` : ""}${method}${request.seeds.length > 1 ? ` seed ${seed}` : ""}`;
}
