#!/usr/bin/env node
import { relative } from "node:path";
import { KitError } from "../error.ts";
import type { Run } from "../experiment/run.ts";
import { terminalProgress } from "../report/progress.ts";
import { table } from "../report/table.ts";
import { taskTable } from "../report/taskTable.ts";
import { backendsReport } from "./backends.ts";
import { writeCompact } from "./compact.ts";
import { diffRuns } from "./diff.ts";
import { doctor } from "./doctor.ts";
import { runCommand } from "./exit.ts";
import { interruption, unlessAborted } from "./interrupt.ts";
import type { Omission } from "./job.ts";
import { type CliOptions, parseOptions } from "./options.ts";
import { inOwnProcess } from "./ownProcess.ts";
import { savePicture } from "./picture.ts";
import { preflight } from "./preflight.ts";
import { replayRun } from "./replay.ts";

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
    omissions.push(...plan.omissions);
    for (const remark of plan.remarks) process.stderr.write(`${remark}\n`);
    for (const job of plan.jobs) runs.push(await inOwnProcess(job, { onProgress: progress.report, signal }));
  } finally {
    progress.stop();
  }
}

/** Whatever stops the runs, those that are finished are reported. */
async function measure(argv: readonly string[]): Promise<void> {
  const options = parseOptions(argv);
  const results: Results = { runs: [], omissions: [] };
  const failure = await doAll(options, results).catch((error: unknown) => ({ error }));
  await report(results, options).catch((error: unknown) => {
    if (!failure) throw error;
  });
  if (failure) throw failure.error;
}

async function listBackends(argv: readonly string[]): Promise<void> {
  if (argv.length > 0)
    throw new KitError(`mezo backends takes no arguments, but was given ${argv.join(" ")}: leave them out.`);
  process.stdout.write(`${await backendsReport()}\n`);
  process.exit(0); // a GPU's driver would keep the process alive
}

const COMMANDS: Readonly<Record<string, (argv: readonly string[]) => void | Promise<void>>> = {
  table: measure,
  backends: listBackends,
  replay: replayRun,
  diff: diffRuns,
  compact: writeCompact,
  doctor,
};

await runCommand((argv) => {
  const command = COMMANDS[argv[0] ?? ""];
  return command ? command(argv.slice(1)) : measure(argv);
});
