#!/usr/bin/env node
import { fork } from "node:child_process";
import { basename, join, relative } from "node:path";
import { KitError } from "../error.ts";
import type { Run } from "../experiment/run.ts";
import { paperColumn } from "../report/paper.ts";
import { plotAccuracyMemory } from "../report/plot.ts";
import { terminalProgress } from "../report/progress.ts";
import { saveFigure } from "../report/render.ts";
import { comparisonTable } from "../report/table.ts";
import { findTask } from "../tasks/index.ts";
import type { Progress } from "../tensor/progress.ts";
import type { Job, Message } from "./job.ts";
import { type CliOptions, parseOptions } from "./options.ts";
import { preflight } from "./preflight.ts";

const INTERRUPTED = 130;

function jobsOf(options: CliOptions): Job[] {
  const task = findTask(options.task).name;
  const model = basename(options.model ?? "opt-reviews");
  const named = (method: string, seed: number): string => `${task}-${model}-${method}-seed${seed}.jsonl`.toLowerCase();
  return options.methods.flatMap((method) =>
    options.seeds.map((seed) => ({ method, seed, options, file: join(options.out, named(method, seed)) })),
  );
}

/** Does a job in a process of its own, so that its peak memory is its own too. */
function inOwnProcess(job: Job, report: Progress): Promise<Run> {
  const label = `${job.method}${job.options.seeds.length > 1 ? ` seed ${job.seed}` : ""}`;
  return new Promise((done, failed) => {
    const child = fork(new URL("worker.js", import.meta.url), { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    child.on("message", (message: Message) => {
      if ("progress" in message) report({ ...message.progress, label: labelled(label, message.progress.label) });
      else if ("run" in message) done(message.run);
      else failed(new KitError(message.error));
    });
    child.on("exit", (code, signal) =>
      failed(
        new KitError(`${label} ended early (${signal ?? `exit code ${code}`}): no result was written; run it again.`),
      ),
    );
    child.send(job);
  });
}

const labelled = (label: string, part: string): string =>
  label.startsWith(part) ? label : `${label}: ${part.replace(/^.*: /, "")}`;

async function report(runs: readonly Run[], { figures, smoke, out }: CliOptions): Promise<void> {
  if (runs.length === 0) return;
  const paper = paperColumn(runs[0]!.header.task);
  const { task } = runs[0]!.header;
  const files = await saveFigure(
    plotAccuracyMemory(runs, paper),
    join(figures, `${task}-accuracy-memory`.toLowerCase()),
  );
  const shown = (path: string): string => relative(process.cwd(), path);
  const warning = smoke ? "A smoke run: too few examples and steps for the numbers to mean anything.\n" : "";
  process.stdout.write(
    `\n${comparisonTable(runs, paper)}\n${warning}Runs: ${shown(out)}   Picture: ${files.map(shown).join(", ")}\n`,
  );
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  const progress = terminalProgress();
  const runs: Run[] = [];
  process.once("SIGINT", () => {
    progress.stop();
    process.stderr.write("\nInterrupted: finished runs are kept.\n");
    void report(runs, options).finally(() => process.exit(INTERRUPTED));
  });
  try {
    await preflight(options, progress.report);
    for (const job of jobsOf(options)) runs.push(await inOwnProcess(job, progress.report));
  } finally {
    progress.stop();
  }
  await report(runs, options);
}

main().catch((error: Error) => {
  process.stderr.write(`${error instanceof KitError ? error.message : error.stack}\n`);
  process.exitCode = 1;
});
