import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { BUNDLED_MODEL } from "../models/load.ts";
import { shotsName } from "../record/diff.ts";
import { readHeader } from "../record/read.ts";
import type { RunHeader } from "../record/run.ts";
import { loadTask } from "../tasks/load.ts";
import type { DataSource } from "../tasks/task.ts";
import { plainName } from "./methods.ts";
import type { MeasureRequest } from "./request.ts";

/** Digits of the content's hash in a name. */
const DIGITS = 8;

/** What tells runs of one request apart. */
export interface NamedRun {
  readonly method: string;
  readonly task: string;
  readonly seed: number;
}

/** Where rows come from, and what names say of them: nothing of those that the task has by itself. */
export interface NamedRows {
  readonly data: DataSource;
  readonly name?: string;
}

/**
 * What the names of runs and pictures say of the rows that they are of, so that those of other rows never take their place: nothing of the
 * rows that the task has by itself, else the name of the file or folder and the first digits of its content's hash, "reviews-39fe94da".
 * Runs over the authors' K-shot folders, whose rows are others under each seed, share the k and a hash of all: "16-seed-1b2c3d4e".
 */
export async function rowsName(task: string, data: readonly DataSource[]): Promise<string | undefined> {
  const contents = [...new Set(data.map(({ sha256 }) => sha256))].sort();
  const files = data[0]?.files ?? [];
  if (contents.length > 1) return `${stem(files.map(shotsName))}-${hashOf(contents.join()).slice(0, DIGITS)}`;
  return contents[0] === (await ownContent(task)) ? undefined : `${stem(files)}-${contents[0]!.slice(0, DIGITS)}`;
}

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");

/** The content of the rows that a task has by itself, which one that is not the kit's has not. */
async function ownContent(task: string): Promise<string | undefined> {
  const own = await loadTask(task).catch(() => undefined);
  return own?.data.sha256;
}

/** "reviews" of "folder/reviews.csv"; of several files their folder. */
function stem([first = "", ...others]: readonly string[]): string {
  const parts = first.split("/");
  const name = others.length > 0 && parts.length > 1 ? parts.at(-2)! : parts.at(-1)!;
  const plain = name.replace(/\.gz$/i, "").replace(/\.(tsv|csv|jsonl?|parquet|txt)$/i, "");
  return plain.toLowerCase().replace(/[^\p{L}\p{N}._]+/gu, "-");
}

/** The header of a run's file, or of its part where it is under way; undefined where neither can be read. */
export function findHeader(file: string): RunHeader | undefined {
  const path = [file, `${file}.part`].find((each) => existsSync(each));
  return path === undefined ? undefined : readHeader(path);
}

/**
 * Where a run is written. Runs on other rows than the task's own have these in their name; one from before names said so is
 * recognized by its header.
 */
export function runFile(request: MeasureRequest, run: NamedRun, rows: NamedRows | undefined): string {
  const plain = join(request.out, runName(request, run));
  if (rows?.name === undefined || isOn(rows.data, findHeader(plain))) return plain;
  return join(request.out, runName(request, { ...run, task: `${run.task}-${rows.name}` }));
}

const isOn = (data: DataSource, header: RunHeader | undefined): boolean => header?.data.sha256 === data.sha256;

function runName({ model, weights, untied }: MeasureRequest, { task, method, seed }: NamedRun): string {
  const kept = `${untied ? "-untied" : ""}${weights === "float32" ? "" : `-${weights}`}`;
  return `${task}-${basename(resolve(model ?? BUNDLED_MODEL))}${kept}-${plainName(method)}-seed${seed}.jsonl`.toLowerCase();
}
