import { renameSync, rmSync, writeFileSync } from "node:fs";
import { Command } from "commander";
import { KitError } from "../error.ts";
import { stepsTaken } from "../experiment/cut.ts";
import { compactRun } from "../experiment/runFile/compact.ts";
import { readUnfinished } from "../experiment/runFile/read.ts";

/** The command that writes a run in the compact form: four bytes a step. */
export const compacting = (): Command =>
  new Command("compact")
    .description("Writes a run in a binary form of four bytes a step, from which its weights can be made again.")
    .summary("writes a run in four bytes a step")
    .argument("<run>", "the run's file")
    .argument("<file>", "where the compact form goes; a file of that name is replaced")
    .addHelpText("after", "\nExample:\n  npx mezo compact data/runs/sst-2-opt-reviews-mezo-seed1.jsonl run.mezo")
    .action(writeCompact);

function writeCompact(path: string, into: string): void {
  const { run } = readUnfinished(path);
  const bytes = compactRun(run);
  const whole = `${into}.${process.pid}`;
  try {
    writeFileSync(whole, bytes);
    renameSync(whole, into);
  } catch (error) {
    rmSync(whole, { force: true });
    const { code } = error as NodeJS.ErrnoException;
    throw new KitError(`${into}: the run was to be written there, but it cannot be (${code}); name another file.`);
  }
  process.stdout.write(`${into}: ${stepsTaken(run)} steps in ${bytes.length} bytes.\n`);
}
