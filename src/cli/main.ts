#!/usr/bin/env node
import { relative } from "node:path";
import type { Run } from "../experiment/run.ts";
import { terminalProgress } from "../report/progress.ts";
import { table } from "../report/table.ts";
import { runCommand } from "./exit.ts";
import { interruption, unlessAborted } from "./interrupt.ts";
import { jobsOf } from "./job.ts";
import { type CliOptions, parseOptions } from "./options.ts";
import { inOwnProcess } from "./ownProcess.ts";
import { savePicture } from "./picture.ts";
import { preflight } from "./preflight.ts";

async function report(runs: readonly Run[], { figures, smoke, out }: CliOptions): Promise<void> {
  if (runs.length === 0) return;
  const files = await savePicture(runs, figures);
  const shown = (path: string): string => relative(process.cwd(), path);
  const warning = smoke ? "A smoke run: too few examples and steps for the numbers to mean anything.\n" : "";
  process.stdout.write(`\n${table(runs)}\n${warning}Runs: ${shown(out)}   Picture: ${files.map(shown).join(", ")}\n`);
}

/** Does the runs one after the other, adding each to `runs` when it is finished. */
async function doAll(options: CliOptions, runs: Run[]): Promise<void> {
  const progress = terminalProgress();
  const signal = interruption();
  try {
    await unlessAborted(signal, preflight(options, progress.report));
    for (const job of jobsOf(options)) runs.push(await inOwnProcess(job, { onProgress: progress.report, signal }));
  } finally {
    progress.stop();
  }
}

/** Whatever stops the runs, those that are finished are reported. */
async function main(argv: readonly string[]): Promise<void> {
  const options = parseOptions(argv);
  const runs: Run[] = [];
  const failure = await doAll(options, runs).catch((error: unknown) => ({ error }));
  await report(runs, options);
  if (failure) throw failure.error;
}

await runCommand(main);
