import { type ChildProcess, fork } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { join, resolve } from "node:path";
import { KitError, NotFinite } from "../error.ts";
import { checkUnlocked, type Lock, lockRun } from "../record/lock.ts";
import { partOf } from "../record/part.ts";
import { readRun } from "../record/read.ts";
import type { Run } from "../record/run.ts";
import { checkBegin } from "../record/write.ts";
import type { Progress, ProgressEvent } from "../tensor/progress.ts";
import type { Job, Message } from "./plan.ts";

/** A command that was stopped by SIGINT or SIGTERM; it exits with what shells report for the signal: 130 or 143. */
export class Interrupted extends KitError {
  readonly exitCode: number;

  constructor(signal: "SIGINT" | "SIGTERM") {
    super("Interrupted: finished runs are kept, and --resume goes on with the one that was under way.");
    this.exitCode = 128 + constants.signals[signal];
  }
}

/** Runs a command with the process's arguments. What it throws is printed, a KitError as its sentence alone, and exits with 1. */
export async function runCommand(main: (argv: readonly string[]) => void | Promise<void>): Promise<void> {
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    // A download that was under way would keep the process alive.
    if (error instanceof Interrupted) process.exit(error.exitCode);
    process.exitCode = 1;
  }
}

/** Returns what a user is shown of an error: the sentence of a KitError, the stack of anything else. */
export function messageOf(error: unknown): string {
  if (error instanceof KitError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Returns a signal that aborts, with an `Interrupted`, when the process is sent SIGINT or SIGTERM, which no longer end it. */
export function interruption(): AbortSignal {
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

/** The folder that this file was compiled into. */
const DIST = resolve(import.meta.dirname, "..");

/**
 * Where this build stays as it is. A build of changed sources takes the place of dist/ while commands are at work, and what those start
 * later must be of the files that they began with: bin/build.js keeps each build in a folder of its own, and notes it in `.build`, which is
 * read when this process begins. The files of an installed package stay where they are.
 */
const FROZEN: string = frozenBuild() ?? DIST;

function frozenBuild(): string | undefined {
  const note = join(DIST, ".build");
  const folder = existsSync(note) && resolve(DIST, "..", `.dist-${readFileSync(note, "utf8")}`);
  return folder && existsSync(folder) ? folder : undefined;
}

/** The path of a program of this very build, by its path below dist/. */
export function ownProgram(path: string): string {
  return join(FROZEN, path);
}

/**
 * Node's flags for a process that runs a model. V8 lets its heap grow to several times what is in use before it collects; steps make much
 * short-lived garbage, views of reused memory among it, which would then stand beside weights and activations in the peak.
 */
export const LEAN_HEAP: readonly string[] = ["--heap-growing-percent=20", "--max-semi-space-size=4"];

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
  const child = fork(ownProgram("measure/worker.js"), {
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
      else if ("progress" in message) onProgress(withLabel(label, job.method, message.progress));
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

/** The event as one of the job: what is not the method itself, such as loading, is a part of it. */
function withLabel(label: string, method: string, event: ProgressEvent): ProgressEvent {
  const part = event.part ?? (event.label === method ? undefined : event.label);
  return { ...event, label, ...(part !== undefined && { part }) };
}

/** "MeZO (LoRA) seed 2", with the task before it where there are several. */
function labelOf({ method, task, seed, options }: Job): string {
  const several = options.tasks === "all" || options.tasks.length > 1;
  return `${several ? `${task} ` : ""}${method}${options.seeds.length > 1 ? ` seed ${seed}` : ""}`;
}
