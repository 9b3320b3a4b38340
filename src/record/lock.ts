import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { hostname } from "node:os";
import { dirname, resolve } from "node:path";
import { KitError, shorten } from "../error.ts";
import { partOf, writing } from "./part.ts";

/** A run that this process alone may write. */
export interface Lock {
  /** Lets a process that this one has started write the run too; it stays taken until both are gone. */
  share(pid: number): void;
  /** Gives the run up. */
  release(): void;
}

/** A process; `start` tells it from an earlier one of the same number, where the system says when it began. */
interface Process {
  readonly pid: number;
  readonly start?: string;
}

/** Who has a run: processes of one machine, of which any that lives still has it. */
interface Owner {
  readonly host: string;
  readonly processes: readonly Process[];
}

/** Longer than a process takes to write its name into a lock that it has made. */
const NAMING_MILLISECONDS = 100;

/** The locks that this process has. */
const held = new Map<string, Lock>();
process.on("exit", () => {
  for (const lock of held.values()) lock.release();
});

/**
 * Takes a run for this process, by a file beside it (`.lock`) that only one process can make. A lock whose processes are gone, by
 * kill -9 or a power cut, is taken over. Throws a KitError where a living process has the run, be it this one, and where the lock cannot
 * be written; then nothing but the folder has been made.
 */
export function lockRun(path: string): Lock {
  const file = lockOf(path);
  if (held.has(file))
    throw new KitError(`${path}: this process is writing that run already: let it end first, or name another file.`);
  const kept = existsSync(partOf(path)) ? partOf(path) : undefined;
  const making = (): boolean => {
    mkdirSync(dirname(file), { recursive: true });
    return take(file, path) === "made";
  };
  const isOwn = writing(path, making, kept);
  const lock: Lock = {
    share: (pid) =>
      writing(path, () => rename(file, { ...ME, processes: [...ME.processes, describeProcess(pid)] }), kept),
    release: () => {
      if (held.get(file) !== lock) return;
      held.delete(file);
      if (isOwn && isMine(findOwner(file))) rmSync(file, { force: true });
    },
  };
  held.set(file, lock);
  return lock;
}

/** Returns what the work returns that the run's lock is given to; where it throws, the lock is given up. */
export function withLock<T>(path: string, work: (lock: Lock) => T): T {
  const lock = lockRun(path);
  try {
    return work(lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Throws a KitError where a living process other than this one is writing a run. */
export function checkUnlocked(path: string): void {
  const owner = writing(path, () => findOwner(lockOf(path)));
  if (isLive(owner) && !isMine(owner)) throw lockTaken(path, owner);
}

const lockOf = (path: string): string => `${resolve(path)}.lock`;

/**
 * Makes the lock's file, or finds that its owner has shared it with this process. Of several processes that find the owner gone, the one
 * that gets a lock on the lock removes it, after a second look: so none removes the lock of one that came before it.
 */
function take(file: string, path: string): "made" | "shared" {
  if (makeLock(file)) return "made";
  const owner = findOwner(file);
  if (isMine(owner)) return "shared";
  if (isLive(owner)) throw lockTaken(path, owner);
  const turn = `${file}.lock`;
  take(turn, path);
  try {
    const now = findOwner(file);
    if (isLive(now)) throw lockTaken(path, now);
    rmSync(file, { force: true });
    if (makeLock(file)) return "made";
    throw lockTaken(path, findOwner(file));
  } finally {
    rmSync(turn, { force: true });
  }
}

/** Makes a lock's file that names this process; false where there is one. */
function makeLock(file: string): boolean {
  let opened: number;
  try {
    opened = openSync(file, "wx");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
  try {
    writeSync(opened, JSON.stringify(ME));
    return true;
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  } finally {
    closeSync(opened);
  }
}

/** Gives a lock of this process's other owners, in one go. */
function rename(file: string, owner: Owner): void {
  const next = `${file}.${process.pid}`;
  try {
    writeFileSync(next, JSON.stringify(owner));
    renameSync(next, file);
  } finally {
    rmSync(next, { force: true });
  }
}

/** Who has a lock: undefined where it is missing, and where it names nobody even after a while, as one that a power cut has emptied. */
function findOwner(file: string): Owner | undefined {
  const owner = readOwner(file);
  if (owner !== "nobody") return owner;
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, NAMING_MILLISECONDS);
  const later = readOwner(file);
  return later === "nobody" ? undefined : later;
}

function readOwner(file: string): Owner | "nobody" | undefined {
  try {
    const owner = JSON.parse(readFileSync(file, "utf8")) as Partial<Owner> | null;
    if (typeof owner?.host !== "string" || !Array.isArray(owner.processes)) return "nobody";
    return owner.processes.every((each: unknown) => Number.isInteger((each as Process | null)?.pid))
      ? (owner as Owner)
      : "nobody";
  } catch (error) {
    if (error instanceof SyntaxError) return "nobody";
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Whether any of the owner's processes lives; those of another machine cannot be asked, and may. */
function isLive(owner: Owner | undefined): owner is Owner {
  return owner !== undefined && (owner.host !== ME.host || owner.processes.some(lives));
}

function lives({ pid, start }: Process): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  const now = readStart(pid);
  return start === undefined || now === undefined || now === start;
}

function isMine(owner: Owner | undefined): boolean {
  const [me] = ME.processes as [Process];
  return owner?.host === ME.host && owner.processes.some(({ pid, start }) => pid === me.pid && start === me.start);
}

/** When a process began, as Linux says it: the machine's start and the clock ticks since; undefined elsewhere. */
function readStart(pid: number): string | undefined {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // what stands before may hold spaces
    return "ZX".includes(state!) ? "ended" : `${boot} ${fields[18]}`;
  } catch {
    return undefined;
  }
}

function describeProcess(pid: number): Process {
  const start = readStart(pid);
  return { pid, ...(start !== undefined && { start }) };
}

const ME: Owner = { host: hostname(), processes: [describeProcess(process.pid)] };

function lockTaken(path: string, owner: Owner | undefined): KitError {
  const { host, processes } = owner ?? { ...ME, processes: [] };
  const one = (host === ME.host && processes.find(lives)) || processes[0];
  const who = one ? `process ${one.pid}` : "another process";
  return new KitError(
    host === ME.host
      ? `${path}: ${who} is writing that run: let it end, or stop it and use --resume.`
      : `${path}: ${who} on ${shorten(host)} is writing that run, or was: let it end there, or remove ${path}.lock if it is gone.`,
  );
}
