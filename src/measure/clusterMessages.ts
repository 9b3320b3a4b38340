import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { hashFiles } from "../checkpoints/folder.ts";
import type { Port } from "../cluster/port.ts";
import { KitError } from "../error.ts";
import { KIT_VERSION, NOISE_VERSION } from "../experiment/header.ts";
import { openModel } from "../models/load.ts";
import { isOnHub } from "../tasks/read/hub.ts";
import type { ProgressEvent } from "../tensor/progress.ts";
import type { Job } from "./plan.ts";
import type { MeasureRequest } from "./request.ts";

/** What of a request is no option that all of a table's runs share: which runs they are, and what each machine has of its own. */
type Apart =
  | ("tasks" | "methods" | "seeds")
  | ("model" | "revision" | "data" | "backend" | "threads" | "products" | "out" | "figures" | "smoke" | "resume");

const APART: readonly (keyof MeasureRequest)[] = [
  ...(["tasks", "methods", "seeds"] satisfies Apart[]),
  ...([
    "model",
    "revision",
    "data",
    "backend",
    "threads",
    "products",
    "out",
    "figures",
    "smoke",
    "resume",
  ] satisfies Apart[]),
];

/** Files of data that workers fetch by their contents' hashes. */
export interface TableData {
  /** The last name of the folder that they are in. */
  readonly folder: string;
  /** Which of them is the data, where it is a file and not the folder. */
  readonly file?: string;
  readonly files: readonly { readonly path: readonly string[]; readonly sha256: string }[];
}

/** What workers are told of a table: its runs, and what they are made from. */
export interface TableMessage {
  readonly base: string;
  readonly model: string;
  readonly kit: string;
  readonly noise: string;
  readonly data?: TableData;
  readonly options: Omit<MeasureRequest, Apart>;
  readonly jobs: readonly {
    readonly task: string;
    readonly method: string;
    readonly seed: number;
    readonly run: string;
  }[];
}

/** How a worker ended a job: the name of the run's lines in the cluster, or why there are none. */
export interface ResultMessage {
  readonly worker: string;
  readonly run?: string;
  readonly failure?: string;
  readonly isNotFinite?: boolean;
}

/** How a job comes along. */
export interface ReportMessage extends Omit<ProgressEvent, "label" | "file" | "waitSeconds"> {
  readonly job: number;
}

/** The SHA-256 of a content, in hexadecimal digits. */
export const sha256 = (content: string | Uint8Array): string => createHash("sha256").update(content).digest("hex");

/** What a table says of its jobs, all of one request; its files of data are in the cluster then. */
export async function describeTable(port: Port, jobs: readonly Job[]): Promise<TableMessage> {
  const { request } = jobs[0]!;
  const { id, checkpoint } = await openModel(request.model, { revision: request.revision, untied: request.untied });
  const said = Object.entries(request).filter(([name]) => !APART.includes(name as keyof MeasureRequest));
  const options = Object.fromEntries(said) as TableMessage["options"];
  const data = await sendData(port, request.data);
  const made = { base: hashFiles(checkpoint.files), model: id, kit: KIT_VERSION, noise: NOISE_VERSION };
  const common = { ...made, ...(data && { data }), options };
  const named = jobs.map(({ task, method, seed }) => {
    const run = sha256(JSON.stringify({ ...common, task, method, seed })).slice(0, 16);
    return { task, method, seed, run };
  });
  return { ...common, jobs: named };
}

/** The most bytes of a table's data. */
const MOST_DATA = 2 ** 29;

/** Puts the files of a request's data where workers can fetch them; undefined for the rows that tasks have by themselves. */
async function sendData(port: Port, data: string | undefined): Promise<TableData | undefined> {
  if (data === undefined) return undefined;
  if (isOnHub(data) || data === "samples")
    throw new KitError(`The data ${data} were to be sent to a cluster, which takes folders and files: name one.`);
  const path = resolve(data);
  const isFile = statSync(path).isFile();
  const folder = isFile ? dirname(path) : path;
  const paths = isFile ? [[basename(path)]] : listPaths(folder);
  const bytes = paths.reduce((sum, parts) => sum + statSync(join(folder, ...parts)).size, 0);
  if (bytes > MOST_DATA || paths.length > 1000)
    throw new KitError(
      `${data} has ${paths.length} files of ${Math.round(bytes / 2 ** 20)} MiB in all, and a cluster takes 1,000 of 512 MiB: name a folder with the task's files alone.`,
    );
  const files = [];
  for (const parts of paths) {
    const content = readFileSync(join(folder, ...parts));
    const file = { path: parts, sha256: sha256(content) };
    await port.keepFile(file.sha256, content);
    files.push(file);
  }
  return { folder: basename(folder), ...(isFile && { file: basename(path) }), files };
}

/** The files below a folder, two folders deep at most, in the order of their names. */
function listPaths(folder: string, above: readonly string[] = []): string[][] {
  const entries = readdirSync(join(folder, ...above), { withFileTypes: true });
  return entries
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = [...above, entry.name];
      if (entry.isDirectory()) return path.length < 3 ? listPaths(folder, path) : [];
      return entry.isFile() ? [path] : [];
    });
}
