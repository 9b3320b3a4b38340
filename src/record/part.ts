import { createHash } from "node:crypto";
import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { KitError } from "../error.ts";

/** Where a run is written while it is unfinished. */
export const partOf = (path: string): string => `${path}.part`;

/** The `.part` file of a run that this process writes. A KitError says where another program has changed it; Node's errors are passed on. */
export interface Part {
  /** Puts lines behind those that are there, as many whole ones as there is room for; with `isLasting` it waits until the disk has them. */
  append(lines: Uint8Array, isLasting: boolean): void;
  /** Gives the file the run's own name, if its bytes have that SHA-256, and waits until the disk has the name. */
  place(digest: Uint8Array): void;
  close(): void;
  /** Closes the file and removes it, unless another program has changed it. */
  remove(): void;
}

/** Opens a run's `.part`, or makes it. The first `append` cuts off what is behind its `whole` first bytes; until then nothing is changed. */
export function openPart(path: string, whole: number): Part {
  const part = partOf(path);
  const file = openSync(part, "a");
  if (whole === 0) syncFolder(dirname(path));
  let { size } = fstatSync(file);
  let isTorn = size > whole;
  const cutTo = (bytes: number): void => {
    ftruncateSync(file, bytes);
    size = bytes;
  };
  let isOpen = true;
  const close = (): void => {
    if (isOpen) closeSync(file);
    isOpen = false;
  };
  return {
    append: (lines, isLasting) => {
      checkUnchanged(part, file, size);
      if (isTorn) cutTo(whole);
      isTorn = false;
      writeAll(file, lines, (written) => cutTo(size + lines.subarray(0, written).lastIndexOf(10) + 1));
      size += lines.length;
      if (isLasting) fdatasyncSync(file);
    },
    place: (digest) => {
      checkUnchanged(part, file, size);
      if (!createHash("sha256").update(readFileSync(part)).digest().equals(digest)) throw changed(part, "edited");
      fdatasyncSync(file);
      close();
      renameSync(part, path);
      syncFolder(dirname(path));
    },
    close,
    remove: () => {
      if (isOpen && changeOf(part, file, size) === undefined) rmSync(part);
      close();
    },
  };
}

/** Writes all of the bytes; a disk that is nearly full takes a part of them before it refuses: `undo` is told how many. */
function writeAll(file: number, bytes: Uint8Array, undo: (written: number) => void): void {
  let written = 0;
  try {
    while (written < bytes.length) written += writeSync(file, bytes, written);
  } catch (error) {
    undo(written);
    throw error;
  }
}

function checkUnchanged(part: string, file: number, size: number): void {
  const what = changeOf(part, file, size);
  if (what !== undefined) throw changed(part, what);
}

/** What another program has done to a file that this one has open and has left with `size` bytes; undefined where nothing. */
function changeOf(part: string, file: number, size: number): string | undefined {
  const [own, there] = [fstatSync(file), statSync(part, { throwIfNoEntry: false })];
  if (!there) return "removed";
  if (there.ino !== own.ino || there.dev !== own.dev) return "replaced";
  if (own.size !== size) return own.size < size ? "cut" : "written to";
  return undefined;
}

function changed(part: string, what: string): KitError {
  const cure =
    what === "removed" ? "start it again" : "--resume continues what is there, where that is the beginning of a run";
  return new KitError(`${part} was ${what} by another program while the run was under way, which stops here: ${cure}.`);
}

/** Waits until the disk itself has a folder's names; where a folder cannot be opened, as on Windows, the system sees to it. */
function syncFolder(folder: string): void {
  let opened: number | undefined;
  try {
    opened = openSync(folder, "r");
    fsyncSync(opened);
  } catch {
    // The run is whole, and in its place: what is left is whether its name outlasts a power cut.
  } finally {
    if (opened !== undefined) closeSync(opened);
  }
}

/** What the system says where there is no room: a full disk, a user's share of it, a limit on a file's size. */
const NO_ROOM: readonly unknown[] = ["ENOSPC", "EDQUOT", "EFBIG"];

/** That a run cannot be written to a file; a KitError is left as it is. `part` is where what has been written of it so far is kept. */
export function unwritable(path: string, error: unknown, part?: string): KitError {
  if (error instanceof KitError) return error;
  const { code = String(error) } = error as NodeJS.ErrnoException;
  const isFull = NO_ROOM.includes(code);
  const found = `${path}: a run was to be written there, but ${isFull ? "there is no room for it" : "it cannot be"} (${code})`;
  if (part === undefined) return new KitError(`${found}; ${isFull ? "make room, or " : ""}name another folder.`);
  const cure = isFull ? "there is room" : "it can be written";
  return new KitError(`${found}; what it has so far is kept in ${part}, and --resume continues it once ${cure}.`);
}

/** Returns what the work returns; throws `unwritable` where it throws. */
export function writing<T>(path: string, work: () => T, part?: string): T {
  try {
    return work();
  } catch (error) {
    throw unwritable(path, error, part);
  }
}
