import { constants } from "node:os";
import { KitError } from "../error.ts";

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
