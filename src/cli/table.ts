import { join, relative } from "node:path";
import type { Command } from "commander";
import { type Omission, preflight, rowsName } from "../measure/plan.ts";
import { checkJobs, inOwnProcess, interruption, unlessAborted } from "../measure/process.ts";
import type { CliOptions } from "../measure/request.ts";
import type { Run } from "../record/run.ts";
import { plotAccuracyMemory } from "../report/plot.ts";
import { terminalProgress } from "../report/progress.ts";
import { saveFigure } from "../report/render.ts";
import { table, taskTable } from "../report/runTables.ts";
import { headline } from "../report/summary.ts";
import { optionsOf, tableCommand } from "./options.ts";

/** Draws accuracy against memory of runs of one task and model into a folder; the files that it wrote. */
export async function savePicture(runs: readonly Run[], folder: string): Promise<string[]> {
  const { task, model, weights, untied } = headline(runs);
  const rows = await rowsName(
    task,
    runs.map(({ header }) => header.data),
  );
  const on = rows === undefined ? task : `${task}-${rows}`;
  const kept = untied ? "-untied" : "";
  const format = weights === undefined ? "" : `-${weights.format}`;
  const name = `${on}-${model.replace(/^.*\//, "")}${kept}${format}-accuracy-memory`.toLowerCase();
  return saveFigure(plotAccuracyMemory(runs), join(folder, name));
}

/** The command that measures methods and prints them in one table. */
export const measuring = (): Command =>
  tableCommand().action((_options, command: Command) => measure(optionsOf(command)));

/** What a command has done so far. */
interface Results {
  readonly runs: Run[];
  readonly omissions: Omission[];
}

async function report({ runs, omissions }: Results, { figures, smoke, out }: CliOptions): Promise<void> {
  const left = omissions.map(({ method, task, reason }) => `No ${method} on ${task}: ${reason}.\n`).join("");
  const warning = smoke ? "A smoke run: too few examples and steps for the numbers to mean anything.\n" : "";
  const shown = (path: string): string => relative(process.cwd(), path);
  if (runs.length === 0) return void process.stdout.write(left);
  const tasks = new Set(runs.map(({ header }) => header.task));
  const files = tasks.size > 1 ? [] : await savePicture(runs, figures);
  const picture = files.length > 0 ? `   Picture: ${files.map(shown).join(", ")}` : "";
  const text = tasks.size > 1 ? taskTable(runs) : table(runs);
  process.stdout.write(`\n${text}\n${left}${warning}Runs: ${shown(out)}${picture}\n`);
}

/** Does the runs one after the other, adding each to the results when it is finished. */
async function doAll(options: CliOptions, { runs, omissions }: Results): Promise<void> {
  const progress = terminalProgress();
  const signal = interruption();
  try {
    const plan = await unlessAborted(signal, preflight(options, progress.report));
    checkJobs(plan.jobs);
    omissions.push(...plan.omissions);
    for (const remark of plan.remarks) process.stderr.write(`${remark}\n`);
    for (const job of plan.jobs) runs.push(await inOwnProcess(job, { onProgress: progress.report, signal }));
  } finally {
    progress.stop();
  }
}

/** Whatever stops the runs, those that are finished are reported. */
async function measure(options: CliOptions): Promise<void> {
  const results: Results = { runs: [], omissions: [] };
  const failure = await doAll(options, results).catch((error: unknown) => ({ error }));
  await report(results, options).catch((error: unknown) => {
    if (!failure) throw error;
  });
  if (failure) throw failure.error;
}
