import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { KitError } from "../error.ts";
import { readRun } from "../experiment/runFile.ts";
import { markdownTable } from "../report/table.ts";
import { runCommand } from "./exit.ts";
import { savePicture } from "./picture.ts";

async function main(argv: readonly string[]): Promise<void> {
  const parser = new Command("mezo-report")
    .description(
      "Prints the finished runs of a folder as one Markdown table, as the README has it, and draws their picture.",
    )
    .argument("[folder]", "where the runs are", "data/runs")
    .option("--figures <folder>", "where the picture is written; one of equal name is replaced", "figures")
    .parse(argv, { from: "user" });
  const folder = parser.processedArgs[0] as string;
  const files = namesIn(folder).filter((name) => name.endsWith(".jsonl"));
  if (files.length === 0) throw new KitError(`${folder} holds no finished run: make some with npm start.`);
  const runs = files.map((name) => readRun(join(folder, name)));
  process.stdout.write(`${markdownTable(runs)}\n`);
  await savePicture(runs, parser.opts<{ figures: string }>().figures);
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
