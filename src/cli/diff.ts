import { Command } from "commander";
import { stepsTaken } from "../experiment/cut.ts";
import { diff, partingText } from "../experiment/diff.ts";
import { readUnfinished } from "../experiment/runFile/read.ts";

/** The command that says where two runs part and why. */
export const diffing = (): Command =>
  new Command("diff")
    .description("Says after which step two runs part, and why.")
    .summary("says after which step two runs part, and why")
    .argument("<run>", "a run's file, finished or not")
    .argument("<other>", "another one")
    .addHelpText("after", "\nExample:\n  npx mezo diff one.jsonl other.jsonl")
    .action(diffRuns);

function diffRuns(one: string, other: string): void {
  const [a, b] = [readUnfinished(one).run, readUnfinished(other).run];
  const parting = diff(a, b);
  process.stdout.write(
    parting
      ? `They part after ${parting.step} steps: ${partingText(parting)}.\n`
      : `They are the same over ${stepsTaken(a)} steps and ${a.scores.length} scores.\n`,
  );
}
