import { KitError } from "../../error.ts";

const LONGEST = 80;

/** A value out of a file, as an error quotes it: in one line, and cut where it is long, however deep it is nested. */
export function quote(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  const text = String(value ?? "nothing").replace(/[\s\p{Cc}]+/gu, " ");
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 1)}…`;
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
  return new KitError(`${found}; what it has so far is kept in ${part}, and --resume goes on with it once ${cure}.`);
}

/** Returns what the work returns; throws `unwritable` where it throws. */
export function writing<T>(path: string, work: () => T, part?: string): T {
  try {
    return work();
  } catch (error) {
    throw unwritable(path, error, part);
  }
}
