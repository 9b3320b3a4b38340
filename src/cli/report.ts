import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { KitError } from "../error.ts";
import { readRun } from "../record/read.ts";
import { markdownTable } from "../report/runTables.ts";
import { groupRuns } from "../report/summary.ts";
import { parseCommand, runCommand } from "./commandLine.ts";
import { savePicture } from "./table.ts";

async function main(argv: readonly string[]): Promise<void> {
  const command = new Command("npm run report --")
    .description(
      "Prints the finished runs of a folder as Markdown tables, one a task and model, as the README has them, and draws their pictures.",
    )
    .argument("[folder]", "where the runs are", "data/runs")
    .option("--figures <folder>", "where the pictures are written; those of equal name are replaced", "figures");
  const { options } = parseCommand<{ figures: string }>(command, argv);
  const folder = command.processedArgs[0] as string;
  const files = namesIn(folder).filter((name) => name.endsWith(".jsonl"));
  if (files.length === 0) throw new KitError(`${folder} holds no finished run: make some with npm start.`);
  const runs = files.map((name) => readRun(join(folder, name)));
  for (const group of groupRuns(runs)) {
    process.stdout.write(`${markdownTable(group)}\n\n`);
    await savePicture(group, options.figures);
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new KitError(
      `${folder}: finished runs were to be read there, but it cannot be (${code}); name a folder of runs, or make some with npm start.`,
    );
  }
}

await runCommand(main);
