import { existsSync, readFileSync } from "node:fs";
import { readMessage } from "../cluster/messages.ts";
import { BeingWritten, MOST_BYTES, type PieceKey, type Port } from "../cluster/port.ts";
import { KitError, NotFinite } from "../error.ts";
import { lineReader } from "../record/lineReader.ts";
import { partOf } from "../record/part.ts";
import type { Run } from "../record/run.ts";
import { setAside, writeRun } from "../record/write.ts";
import { isTunerDefined } from "../tuners/define.ts";
import { describeTable, type ReportMessage, type ResultMessage, sha256, type TableMessage } from "./clusterMessages.ts";
import type { Job } from "./plan.ts";
import { isOnlyRead, labelJob, runJob, type Supervision } from "./runJob.ts";

/**
 * Has a request's jobs done by the workers of a cluster, several at once, and returns their runs in the jobs' order, each written to its file
 * when it has ended. A job whose worker dies is resumed by another from its lines, and one that the cluster has to its end is not repeated,
 * whoever asked for it before; finished runs that are to be kept are read here. Throws a KitError where a job failed, when those that had ended are
 * written, and the signal's reason once it has aborted; the lines in the cluster stay.
 */
export async function runTable(port: Port, jobs: readonly Job[], { onProgress, signal }: Supervision): Promise<Run[]> {
  signal.throwIfAborted();
  const kept = new Map<Job, Run>();
  for (const job of jobs) if (isOnlyRead(job)) kept.set(job, await runJob(job, { onProgress, signal }));
  const open = jobs.filter((job) => !kept.has(job));
  if (open.length > 0) await carryOut(port, open, { onProgress, signal, kept });
  return jobs.map((job) => kept.get(job)!);
}

interface CarryingOut extends Supervision {
  /** Runs that are finished. */
  readonly kept: Map<Job, Run>;
}

async function carryOut(port: Port, jobs: readonly Job[], { onProgress, signal, kept }: CarryingOut): Promise<void> {
  const table = await describeTable(port, jobs);
  const text = JSON.stringify(table);
  const id = `table-${sha256(text).slice(0, 16)}`;
  if (Buffer.byteLength(text) > MOST_BYTES)
    throw new KitError(
      `A table of ${jobs.length} runs is too long for a message: ask for fewer tasks or seeds at once.`,
    );
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const tell = (): void =>
    onProgress({ label: "runs in the cluster", done: jobs.filter((one) => kept.has(one)).length, total: jobs.length });
  const finish = (job: Job, run: Run): void => {
    writeRun(job.file, run);
    kept.set(job, run);
    tell();
  };
  try {
    for (const [i, job] of jobs.entries()) {
      const run = await joinLines(port, table.jobs[i]!.run, job);
      if (run) checkRun(run, job, table);
      if (run) finish(job, run);
    }
    const open = jobs.filter((job) => !kept.has(job));
    if (open.length === 0) return;
    await publishTable(port, { id, text, base: table.base, open: open.map((job) => jobs.indexOf(job)) });
    tell();
    void showReports(port, { id, jobs, onProgress, signal: either });
    await awaitResults(port, { id, jobs, table, kept, finish, signal: either });
  } finally {
    over.abort();
    await port.withdraw(id).catch(() => {});
  }
  signal.throwIfAborted();
}

/**
 * Joins what this process has of a run that was cut short to what the cluster has of it, and gives the run where that is whole. Throws a KitError where
 * the two are different runs.
 */
async function joinLines(port: Port, name: string, job: Job): Promise<Run | undefined> {
  const stored = await port.lines(name);
  const there = stored.map(({ text }) => text);
  const own = existsSync(partOf(job.file)) ? readFileSync(partOf(job.file), "utf8").split("\n").slice(0, -1) : [];
  if (!isTunerDefined(tunerOf(own))) setAsideOwn(job, own);
  else if (own.some((line, i) => there[i] !== undefined && there[i] !== line))
    throw new KitError(
      `${partOf(job.file)} was to be resumed in the cluster, which has other lines of that run: remove or rename that file.`,
    );
  else {
    let place = stored.at(-1)?.place ?? 0;
    for (const line of own.slice(there.length)) place = await port.append(name, line, place);
  }
  return readWhole(there, name);
}

/** The steps of fine-tuning, whose gradients no file holds, make way. */
function setAsideOwn({ file }: Job, own: readonly string[]): void {
  if (own.length > 0) setAside(file);
}

/** The name of a run's tuner, from its first line. */
export function tunerOf([first]: readonly string[]): string | undefined {
  const { header } = first === undefined ? {} : (JSON.parse(first) as { readonly header?: Run["header"] });
  return header?.tuner?.name;
}

/** The run that lines tell to its end; undefined where they do not. Throws a KitError for lines that are no run's. */
export function readWhole(lines: readonly string[], name: string): Run | undefined {
  const reader = lineReader(`Run ${name} of the cluster`);
  for (const line of lines) reader.read(Buffer.from(`${line}\n`));
  const run = reader.run();
  return run && "cost" in run ? run : undefined;
}

/** Where pieces of a table stand in its queue. */
const keyOf = (id: string, job: number): PieceKey => ({ run: id, step: job, pair: 0, shard: 0 });

/**
 * Has workers find a table's open jobs. The table's own line comes last: where it is there, so were all jobs, and they are in the queue still
 * unless the table was withdrawn.
 */
async function publishTable(
  port: Port,
  {
    id,
    text,
    base,
    open,
  }: { readonly id: string; readonly text: string; readonly base: string; readonly open: readonly number[] },
): Promise<void> {
  const [line] = await port.lines(id);
  const isOffered = (await port.offers()).some(({ run }) => run === id);
  await port.offer({ run: id, kind: "table", base });
  if (line && isOffered) return;
  for (const job of open) await port.publish(keyOf(id, job), JSON.stringify({ job }));
  if (line) return;
  await port.append(id, text, 0).catch((error: unknown) => {
    if (!(error instanceof BeingWritten)) throw error; // another coordinator has the very same table
  });
}

/** A table that is under way. */
interface UnderWay {
  readonly id: string;
  readonly jobs: readonly Job[];
  readonly signal: AbortSignal;
}

async function showReports(
  port: Port,
  { id, jobs, onProgress, signal }: UnderWay & Pick<Supervision, "onProgress">,
): Promise<void> {
  for await (const text of port.reports(id, signal)) {
    try {
      const { job, ...event } = readMessage<ReportMessage>(text, "report");
      if (jobs[job] && !signal.aborted) onProgress({ label: labelJob(jobs[job]), ...event });
    } catch (error) {
      if (!(error instanceof KitError)) throw error; // a report that is none changes nothing
    }
  }
}

interface Awaited extends UnderWay {
  readonly table: TableMessage;
  readonly kept: ReadonlyMap<Job, Run>;
  readonly finish: (job: Job, run: Run) => void;
}

/** Takes results until all jobs have theirs; a job whose result is none is done again. Throws a KitError where a job failed. */
async function awaitResults(port: Port, { id, jobs, table, kept, finish, signal }: Awaited): Promise<void> {
  for await (const { piece, text } of port.answers(id, signal)) {
    const job = jobs[piece.step];
    if (!job || kept.has(job)) continue;
    const ended = await readResult(port, text, job, table).catch(leaveAside);
    if (ended && "failure" in ended) throw new (ended.isNotFinite ? NotFinite : KitError)(ended.failure);
    if (ended) finish(job, ended);
    else await port.publish(keyOf(id, piece.step), JSON.stringify({ job: piece.step }));
    if (jobs.every((one) => kept.has(one))) return;
  }
}

function leaveAside(error: unknown): undefined {
  if (!(error instanceof KitError)) throw error;
  process.stderr.write(`${error.message}\n`);
}

/** The run that a result is of, or how it failed. Throws a KitError for a message that is none, and where the cluster has no such run. */
async function readResult(
  port: Port,
  text: string,
  job: Job,
  table: TableMessage,
): Promise<Run | { readonly failure: string; readonly isNotFinite?: boolean }> {
  const { run: name, failure, isNotFinite = false } = readMessage<ResultMessage>(text, "result");
  if (failure !== undefined) return { failure, isNotFinite };
  const lines = await port.lines(name!);
  const run = readWhole(
    lines.map((line) => line.text),
    name!,
  );
  if (!run)
    throw new KitError(
      `${labelJob(job)} was said to have ended, but the cluster has no end of it: it is done once more.`,
    );
  checkRun(run, job, table);
  return run;
}

/** Throws a KitError unless a run is the one that was asked for. */
function checkRun({ header }: Run, { task, method, seed }: Job, { base, kit, noise }: TableMessage): void {
  const wanted = { task, method, seed, kit, noise, weightsHash: header.weightsHash === "none" ? "none" : base };
  const wrong = (Object.keys(wanted) as (keyof typeof wanted)[]).find((name) => header[name] !== wanted[name]);
  if (wrong === undefined) return;
  throw new KitError(
    `${method} seed ${seed} on ${task} came back as a run whose ${wrong} is ${header[wrong]} and not ${wanted[wrong]}: see who else writes to the cluster.`,
  );
}
