import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { KitError } from "../error.ts";
import { readRun } from "../experiment/runFile.ts";
import { markdownTable } from "../report/table.ts";
import { runCommand } from "./exit.ts";

function main(argv: readonly string[]): void {
  const parser = new Command("mezo-table")
    .description("Prints the finished runs of a folder as one Markdown table, as the README has it.")
    .argument("[folder]", "where the runs are", "data/runs")
    .parse(argv, { from: "user" });
  const folder = parser.processedArgs[0] as string;
  const files = namesIn(folder).filter((name) => name.endsWith(".jsonl"));
  if (files.length === 0) throw new KitError(`${folder} holds no finished run: make some with npm start.`);
  process.stdout.write(`${markdownTable(files.map((name) => readRun(join(folder, name))))}\n`);
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
