import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { hashFiles } from "../checkpoints/folder.ts";
import { readMessage } from "../cluster/messages.ts";
import { BeingWritten, type Port, type TakenPiece } from "../cluster/port.ts";
import { KitError, NotFinite, shorten } from "../error.ts";
import { KIT_VERSION, NOISE_VERSION } from "../experiment/header.ts";
import { openModel } from "../models/load.ts";
import { partOf } from "../record/part.ts";
import type { Progress } from "../tensor/progress.ts";
import { isTunerDefined } from "../tuners/define.ts";
import {
  type ReportMessage,
  type ResultMessage,
  sha256,
  type TableData,
  type TableMessage,
} from "./clusterMessages.ts";
import { readWhole, tunerOf } from "./clusterTable.ts";
import { makeRequest } from "./makeRequest.ts";
import type { Job } from "./plan.ts";
import type { MeasureOptions } from "./request.ts";
import { runJob } from "./runJob.ts";

/** A machine that does jobs of tables. */
export interface JobWorker {
  /** Its own model, where it is, and what it computes with. */
  readonly own: Pick<MeasureOptions, "model" | "revision" | "backend" | "threads" | "products">;
  /** The model's name in runs, and the hash of its weights. */
  readonly model: string;
  readonly base: string;
  readonly onProgress: Progress;
  readonly signal: AbortSignal;
}

/** This machine as a worker, with the model that it has. Throws a KitError where that is not to be found. */
export async function openJobWorker(
  own: JobWorker["own"],
  { onProgress, signal, untied }: Pick<JobWorker, "onProgress" | "signal"> & { readonly untied?: boolean },
): Promise<JobWorker> {
  const { id, checkpoint } = await openModel(own.model, { revision: own.revision, untied, onProgress });
  return { own, model: id, base: hashFiles(checkpoint.files), onProgress, signal };
}

/** Seconds after which a worker says again that it is at a job, and looks whether the table is still wanted. */
const KEEP = 5;

/** A table that is served. */
interface Served extends JobWorker {
  readonly port: Port;
  readonly id: string;
  readonly table: TableMessage;
  /** A folder of this worker's, which is gone in the end. */
  readonly folder: string;
  /** The worker's name in the cluster. */
  readonly name: string;
}

/**
 * Does jobs of a table, one after the other in a process each, until it has no more (true), or until something else has work and it has none (false). A
 * job's lines go to the cluster as they are made, and one that another worker has begun goes on behind its lines. Nothing is run that is not
 * one of the kit's methods on one of its tasks, and no path is opened that a message has given: rows come from files that the cluster has. Throws a
 * KitError for a table of another base, kit or noise.
 */
export async function serveTable(port: Port, id: string, worker: JobWorker): Promise<boolean> {
  const [line] = await port.lines(id);
  if (!line) return false; // it is being published
  const table = readMessage<TableMessage>(line.text, "table");
  checkWorker(table, worker);
  const folder = mkdtempSync(join(tmpdir(), "mezo-kit-jobs-"));
  const served = { ...worker, port, id, table, folder, name: randomUUID() };
  try {
    return await takeJobs(served);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function checkWorker(table: TableMessage, { base, model }: JobWorker): void {
  const own = { base, model, kit: KIT_VERSION, noise: NOISE_VERSION };
  const what = (Object.keys(own) as (keyof typeof own)[]).find((name) => table[name] !== own[name]);
  if (what === undefined) return;
  throw new KitError(
    `The table is of ${what} ${table[what]}, but this worker has ${own[what]}: start it with the table's.`,
  );
}

async function takeJobs(served: Served): Promise<boolean> {
  const { port, id, base, signal } = served;
  while (!signal.aborted) {
    const taken = await port.take(id, signal);
    if (taken) await doJob(served, taken);
    else if (!signal.aborted) {
      const offers = await port.offers();
      if (!offers.some(({ run }) => run === id)) return true;
      if (offers.some((offer) => offer.run !== id && offer.waiting > 0 && offer.base === base)) return false;
    }
  }
  return false;
}

/** The job is not wanted here any more: the table was withdrawn, or another worker is at it. */
class NotWanted extends Error {}

/** Does a job and says how it ended, unless it is not wanted any more. */
async function doJob(served: Served, taken: TakenPiece): Promise<void> {
  const { port, id, table, name } = served;
  const { job: at } = readMessage<{ readonly job: number }>(taken.text, "job");
  const answer = async (result: Omit<ResultMessage, "worker">): Promise<void> => {
    await port.answer({ run: id, step: at, pair: 0, shard: 0 }, JSON.stringify({ worker: name, ...result }), name);
    await taken.done();
  };
  const job = table.jobs[at];
  if (!job) return taken.done();
  const over = new AbortController();
  void keepUp(served, taken, over);
  try {
    await answer({ run: await makeRun(served, at, job, over) });
  } catch (error) {
    if (served.signal.aborted || error instanceof NotWanted || error instanceof BeingWritten) return;
    if (!(error instanceof KitError)) throw error;
    await answer({ failure: error.message.slice(0, 4000), isNotFinite: error instanceof NotFinite });
  } finally {
    over.abort();
  }
}

/** Says that a job is being worked on, until it is over or its table is withdrawn, which ends it. */
async function keepUp({ port, id }: Served, taken: TakenPiece, over: AbortController): Promise<void> {
  while (!over.signal.aborted) {
    await port.sleep(KEEP, over.signal);
    taken.keep();
    if (!over.signal.aborted && !(await port.offers()).some(({ run }) => run === id)) over.abort(new NotWanted());
  }
}

/** Makes a run, or the rest of it; gives the name of its lines in the cluster. */
async function makeRun(
  served: Served,
  at: number,
  { task, method, seed, run }: TableMessage["jobs"][number],
  over: AbortController,
): Promise<string> {
  const { port, folder, table, own, id } = served;
  const stored = await port.lines(run);
  const there = stored.map(({ text }) => text);
  if (readWhole(there, run)) return run;
  const file = join(folder, `${run}.jsonl`);
  writeFileSync(partOf(file), there.map((line) => `${line}\n`).join(""));
  const data = table.data && (await fetchData(served, table.data));
  const places = { ...(data !== undefined && { data }), out: folder, figures: folder, resume: true };
  const request = makeRequest({ ...table.options, ...own, task, methods: [method], seeds: [seed], ...places });
  const job: Job = { file, request, task, method, seed };
  const onProgress: Progress = (event) => {
    served.onProgress(event);
    const { part, done, total, loss, dev } = event;
    const report: ReportMessage = {
      ...{ job: at, done, total },
      ...(part !== undefined && { part: shorten(part) }),
      ...(loss !== undefined && { loss }),
      ...(dev !== undefined && { dev }),
    };
    void port.report(id, JSON.stringify(report)).catch(() => {}); // who looks on may miss one
  };
  const sender = sendLines(port, { run, file, sent: there.length, place: stored.at(-1)?.place ?? 0 });
  const sending = keepSending(port, sender, over);
  await runJob(job, { onProgress, signal: AbortSignal.any([served.signal, over.signal]) });
  over.abort();
  await sending;
  return sender.end();
}

/** Seconds between two looks at a run's file. */
const LOOK = 1;

/** Sends a run's lines as its file grows; where they cannot be sent, the run has ended here. */
async function keepSending(port: Port, sender: LineSender, over: AbortController): Promise<void> {
  while (!over.signal.aborted) {
    await port.sleep(LOOK, over.signal);
    await sender.send().catch((error: unknown) => over.abort(error));
  }
}

interface LineSender {
  /** Sends the lines that have come, of a run that another process could go on with. */
  send(): Promise<void>;
  /** Sends the rest of a run that has ended, and gives the name of its lines. */
  end(): Promise<string>;
}

/** Sends the lines of a run's file behind those that the cluster has. */
function sendLines(
  port: Port,
  {
    run,
    file,
    ...begun
  }: { readonly run: string; readonly file: string; readonly sent: number; readonly place: number },
): LineSender {
  let { sent, place } = begun;
  const read = (): string[] => {
    const path = [file, partOf(file)].find((one) => existsSync(one));
    return path === undefined ? [] : readFileSync(path, "utf8").split("\n").slice(0, -1);
  };
  const sendAll = async (name: string, lines: readonly string[]): Promise<void> => {
    for (const line of lines.slice(sent)) {
      place = await port.append(name, line, place);
      sent++;
    }
  };
  const canResume = (lines: readonly string[]): boolean => isTunerDefined(tunerOf(lines));
  return {
    send: async () => {
      const lines = read();
      if (canResume(lines)) await sendAll(run, lines);
    },
    end: async () => {
      const lines = read();
      if (canResume(lines)) {
        await sendAll(run, lines);
        return run;
      }
      const name = `${run}-${randomUUID().slice(0, 8)}`; // what it has no beginning of elsewhere stands by itself
      [sent, place] = [0, 0];
      await sendAll(name, lines);
      return name;
    },
  };
}

/** Fetches a table's files into this worker's folder, where they are not there; gives the path of the data. Throws a KitError where the cluster lacks one. */
async function fetchData({ port, folder }: Served, { folder: name, file, files }: TableData): Promise<string> {
  const place = join(folder, "data", name);
  for (const { path, sha256: hash } of files) {
    const target = join(place, ...path); // names without separators, as the schema has them
    if (existsSync(target)) continue;
    const content = await port.file(hash);
    if (!content || sha256(content) !== hash)
      throw new KitError(
        `${join(name, ...path)} was to be fetched from the cluster, which has ${content ? "another file" : "no file"} of that name: start the table again.`,
      );
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content);
  }
  return file === undefined ? place : join(place, file);
}
