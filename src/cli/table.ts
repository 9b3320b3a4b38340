import { join, relative } from "node:path";
import type { Command } from "commander";
import { type Job, makePlan, type Omission, rowsName } from "../measure/plan.ts";
import type { MeasureRequest } from "../measure/request.ts";
import { checkJobs, runJob, type Supervision } from "../measure/runJob.ts";
import type { Run } from "../record/run.ts";
import { plotAccuracyMemory } from "../report/plot.ts";
import "../lab/index.ts"; // defines its tuners
import { terminalProgress } from "../report/progress.ts";
import { table, taskTable } from "../report/runTables.ts";
import { headline } from "../report/summary.ts";
import { abortOnSignals, unlessAborted } from "./interrupt.ts";
import { flagName, readRequest, tableCommand } from "./options.ts";
import { drawPicture } from "./picture.ts";

/** Draws accuracy against memory of runs of one task and model into a folder; the line that says so. */
export async function drawRuns(runs: readonly Run[], folder: string): Promise<string> {
  const { task, model, weights, untied, splitSeed } = headline(runs);
  const rows = await rowsName(
    task,
    runs.map(({ header }) => header.data),
  );
  const on = rows === undefined ? task : `${task}-${rows}`;
  const kept = untied ? "-untied" : "";
  const split = splitSeed === undefined ? "" : `-split${splitSeed}`;
  const format = weights === undefined ? "" : `-${weights.format}`;
  const name = `${on}-${model.replace(/^.*\//, "")}${kept}${format}${split}-accuracy-memory`.toLowerCase();
  return drawPicture(plotAccuracyMemory(runs), join(folder, name));
}

/** The command that measures methods and prints them in one table. */
export const makeTableCommand = (): Command =>
  tableCommand().action(({ cluster }: { readonly cluster?: string }, command: Command) =>
    measure(readRequest(command), cluster),
  );

/** What a command has done so far. */
interface Results {
  readonly runs: Run[];
  readonly omissions: Omission[];
}

async function report({ runs, omissions }: Results, { figures, smoke, out }: MeasureRequest): Promise<void> {
  const left = omissions.map(({ method, task, reason }) => `No ${method} on ${task}: ${reason}.\n`).join("");
  const warning = smoke ? "A smoke run: too few examples and steps for the numbers to mean anything.\n" : "";
  if (runs.length === 0) return void process.stdout.write(left);
  const tasks = new Set(runs.map(({ header }) => header.task));
  const picture = tasks.size > 1 ? "" : `   ${await drawRuns(runs, figures)}`;
  const text = tasks.size > 1 ? taskTable(runs) : table(runs);
  process.stdout.write(`\n${text}\n${left}${warning}Runs: ${relative(process.cwd(), out)}${picture}\n`);
}

/** Makes the runs, one after the other here or several at once in a cluster, adding each to the results when it is finished. */
async function runAll(
  request: MeasureRequest,
  { runs, omissions }: Results,
  cluster: string | undefined,
): Promise<void> {
  const progress = terminalProgress();
  const signal = abortOnSignals();
  try {
    const plan = await unlessAborted(signal, makePlan(request, progress.report, flagName));
    checkJobs(plan.jobs);
    omissions.push(...plan.omissions);
    for (const remark of plan.remarks) process.stderr.write(`${remark}\n`);
    const supervision = { onProgress: progress.report, signal };
    if (cluster !== undefined) runs.push(...(await runInCluster(cluster, plan.jobs, supervision)));
    else for (const job of plan.jobs) runs.push(await runJob(job, supervision));
  } finally {
    progress.stop();
  }
}

async function runInCluster(url: string, jobs: readonly Job[], supervision: Supervision): Promise<Run[]> {
  const [{ natsPort }, { runTable }] = await Promise.all([
    import("../cluster/join.ts"),
    import("../measure/clusterTable.ts"),
  ]);
  const port = await natsPort(url);
  try {
    return await runTable(port, jobs, supervision);
  } finally {
    await port.close();
  }
}

/** Whatever stops the runs, those that are finished are reported. */
async function measure(request: MeasureRequest, cluster: string | undefined): Promise<void> {
  const results: Results = { runs: [], omissions: [] };
  const failure = await runAll(request, results, cluster).catch((error: unknown) => ({ error }));
  await report(results, request).catch((error: unknown) => {
    if (!failure) throw error;
  });
  if (failure) throw failure.error;
}
