import { type ChildProcess, fork } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { KitError, NotFinite } from "../error.ts";

/** The folder that this file was compiled into. */
const DIST = resolve(import.meta.dirname, "..");

/**
 * Where this build stays as it is. A build of changed sources takes the place of dist/ while commands are at work, and what those start
 * later must be of the files that they began with: bin/build.js keeps each build in a folder of its own, and notes it in `.build`, which is
 * read when this process begins. The files of an installed package stay where they are.
 */
const FROZEN: string = findFrozenBuild() ?? DIST;

function findFrozenBuild(): string | undefined {
  const note = join(DIST, ".build");
  const folder = existsSync(note) && resolve(DIST, "..", `.dist-${readFileSync(note, "utf8")}`);
  return folder && existsSync(folder) ? folder : undefined;
}

/** The path of a program of this very build, by its path below dist/. */
export const ownProgram = (path: string): string => join(FROZEN, path);

/**
 * Node's flags for a process that runs a model. V8 lets its heap grow to several times what is in use before it collects; steps make much
 * short-lived garbage, views of reused memory among it, which would then stand beside weights and activations in the peak.
 */
export const LEAN_HEAP: readonly string[] = ["--heap-growing-percent=20", "--max-semi-space-size=4"];

/** What a user is shown of an error: the sentence of a KitError, the stack of anything else. */
export function errorText(error: unknown): string {
  if (error instanceof KitError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** What a process sends to the one that gave it its job. */
type Message<Value, Event> =
  | { readonly progress: Event }
  | { readonly note: string }
  | { readonly done: true; readonly value: Value }
  | { readonly error: string; readonly isNotFinite: boolean };

/** A process that has ended without an answer to its job: by itself, by a signal, or because it could not be started. */
export class ProcessEnded extends Error {
  readonly signal: NodeJS.Signals | undefined;

  /** `how` is "SIGKILL", "exit code 3" or why it was not started. */
  constructor(how: string, signal?: NodeJS.Signals) {
    super(how);
    this.signal = signal;
  }
}

/** A program and the job that a process of it is to do, with what is done meanwhile. */
export interface Work<Event> {
  /** The path of a compiled program that calls `serve`. */
  readonly program: string;
  readonly job: object;
  readonly onProgress?: (event: Event) => void;
  /** Takes a line for the user; on stderr by default. */
  readonly onNote?: (note: string) => void;
  /** Kills the process when it aborts. */
  readonly signal?: AbortSignal;
  /** Is called with the process's id before it has its job. */
  readonly onStart?: (pid: number) => void;
  /** Node's flags; LEAN_HEAP by default. */
  readonly flags?: readonly string[];
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Starts a process of a program, sends it its job and returns its answer; then the process is gone. Throws the signal's reason where it
 * aborted, the error that the process answered with, as a KitError or NotFinite, and a `ProcessEnded` where it ended without an answer.
 */
export async function runProcess<Value, Event = never>(work: Work<Event>): Promise<Value> {
  const { program, signal, onStart, flags = LEAN_HEAP, cwd, env } = work;
  signal?.throwIfAborted();
  const child = fork(program, {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    serialization: "advanced",
    execArgv: [...process.execArgv, ...flags],
    ...(cwd !== undefined && { cwd }),
    ...(env !== undefined && { env }),
  });
  const stop = (): void => void child.kill("SIGKILL");
  signal?.addEventListener("abort", stop);
  try {
    if (child.pid !== undefined) onStart?.(child.pid);
    return await awaitAnswer<Value, Event>(child, work);
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  } finally {
    stop();
    signal?.removeEventListener("abort", stop);
  }
}

function awaitAnswer<Value, Event>(child: ChildProcess, work: Work<Event>): Promise<Value> {
  const { job, onProgress, onNote = (note) => void process.stderr.write(`${note}\n`), signal } = work;
  return new Promise((done, failed) => {
    let answer: Extract<Message<Value, Event>, { done: true } | { error: string }> | undefined;
    child.on("message", (message: Message<Value, Event>) => {
      if ("note" in message) onNote(message.note);
      // What the process had sent before it was killed may still arrive.
      else if ("progress" in message) signal?.aborted || onProgress?.(message.progress);
      else answer = message;
    });
    child.on("error", ({ message }) => failed(new ProcessEnded(message)));
    child.on("close", (code, by) => {
      if (!answer) failed(new ProcessEnded(by ?? `exit code ${code}`, by ?? undefined));
      else if ("done" in answer) done(answer.value);
      else failed(new (answer.isNotFinite ? NotFinite : KitError)(answer.error));
    });
    child.send(job);
  });
}

/** What a process can send while it does its job. */
export interface Reports<Event> {
  progress(event: Event): void;
  /** A line for the user. */
  note(text: string): void;
}

/** Makes this process one that `runProcess` starts: does the job that it is sent, answers, and exits. It exits too where its parent is gone. */
export function serve<Job, Value, Event = never>(work: (job: Job, reports: Reports<Event>) => Promise<Value>): void {
  const parent = process.ppid;
  const send = (message: Message<Value, Event>): Promise<void> =>
    new Promise((done) => process.send?.(message, () => done()));
  const reports: Reports<Event> = {
    progress: (progress) => {
      // A run is one long piece of work: it would hear of its parent's end only after its own.
      if (process.ppid !== parent) process.exit(1);
      void send({ progress });
    },
    note: (note) => void send({ note }),
  };
  process.once("message", async (job: Job) => {
    process.once("disconnect", () => process.exit(1));
    await send(
      await work(job, reports).then(
        (value): Message<Value, Event> => ({ done: true, value }),
        (error: unknown): Message<Value, Event> => ({
          error: errorText(error),
          isNotFinite: error instanceof NotFinite,
        }),
      ),
    );
    process.exit(); // a GPU's driver would keep the process alive
  });
}
