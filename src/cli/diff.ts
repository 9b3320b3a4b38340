import { Command } from "commander";
import { stepsTaken } from "../experiment/cut.ts";
import { diff } from "../experiment/diff.ts";
import { readUnfinished } from "../experiment/runFile/read.ts";
import { parsed } from "./options.ts";

/** Says where two runs part and why. */
export function diffRuns(argv: readonly string[]): void {
  const parser = new Command("mezo diff")
    .description("Says after which step two runs part, and why.")
    .argument("<run>", "a run's file, finished or not")
    .argument("<other>", "another one");
  const [a, b] = parsed(parser, argv).args.map((path) => readUnfinished(path).run);
  const parting = diff(a!, b!);
  process.stdout.write(
    parting
      ? `They part after ${parting.step} steps: ${parting.why}.\n`
      : `They are the same over ${stepsTaken(a!)} steps.\n`,
  );
}
