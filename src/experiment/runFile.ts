import { appendFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { KitError } from "../error.ts";
import type { Cost, Run, RunHeader, Score, StepRecord } from "./run.ts";
import type { RunRecorder } from "./tune.ts";

/** A run on its way to a file: what has happened is on disk, under a `.part` name until `finish` gives it its own. */
export interface RunFile extends RunRecorder {
  finish(cost: Cost): void;
}

/**
 * Starts a run file, JSON Lines: a header, a line per step and per score in their order, and last what the run cost.
 * Throws a KitError, from whichever call it is, for a number that is not finite and where the file cannot be written.
 */
export function createRunFile(path: string): RunFile {
  const part = partOf(path);
  const line = (record: object): void => {
    const text = `${JSON.stringify(record, onlyFinite)}\n`;
    writing(path, () => appendFileSync(part, text));
  };
  return {
    start: (header) => {
      writing(path, () => {
        mkdirSync(dirname(part), { recursive: true });
        writeFileSync(part, "");
      });
      line({ header });
    },
    step: (step) => line(step),
    score: (score) => line(score),
    finish: (cost) => {
      line({ cost });
      writing(path, () => renameSync(part, path));
    },
  };
}

const partOf = (path: string): string => `${path}.part`;

/** Removes what a run that did not finish has left beside `path`; throws nothing, since another error is under way then. */
export function discardPart(path: string): void {
  try {
    rmSync(partOf(path), { force: true });
  } catch {
    // Where it cannot be removed, its name still says that it is no finished run.
  }
}

/** JSON has no NaN and no Infinity: they would be read back as null. */
function onlyFinite(key: string, value: unknown): unknown {
  if (typeof value !== "number" || Number.isFinite(value)) return value;
  throw new KitError(`The run's ${key} is ${value}, which a run file cannot hold; try a smaller learning rate.`);
}

function writing(path: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new KitError(`${path}: a run was to be written there, but it cannot be (${code}); name another folder.`);
  }
}

/** Writes a whole run, steps and scores in the order they were made. Throws a KitError as `createRunFile` does, and leaves nothing then. */
export function writeRun(path: string, { header, steps, scores, cost }: Run): void {
  const file = createRunFile(path);
  const records = [
    ...steps.map((step) => ({ taken: step.step + 1, write: () => file.step(step) })),
    ...scores.map((score) => ({ taken: score.step, write: () => file.score(score) })),
  ];
  try {
    file.start(header);
    for (const { write } of records.toSorted((a, b) => a.taken - b.taken)) write();
    file.finish(cost);
  } catch (error) {
    discardPart(path);
    throw error;
  }
}

/** Reads a finished run. Throws a KitError for a file that is none, with the line that is wrong. */
export function readRun(path: string): Run {
  const lines = contents(path).replace(/\n$/, "").split("\n");
  const records = lines.map((line, i) => parse(line, `${path} line ${i + 1}`));
  const header = records[0]?.header;
  const cost = records.at(-1)?.cost;
  if (!isObject(header) || !isObject(cost))
    throw new KitError(
      `${path} is no finished run: its first line must hold the header and its last the cost; run it again.`,
    );
  const body = records.slice(1, -1);
  return {
    header: header as unknown as RunHeader,
    steps: body.filter((r) => "lr" in r) as unknown as StepRecord[],
    scores: body.filter((r) => "score" in r) as unknown as Score[],
    cost: cost as unknown as Cost,
  };
}

function contents(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new KitError(`${path}: a finished run was to be read there, but it cannot be (${code}); name a file of one.`);
  }
}

function parse(line: string, where: string): Record<string, unknown> {
  const record = parsed(line);
  if (isObject(record)) return record;
  throw new KitError(`${where} is no JSON object: the file was cut or edited; run it again.`);
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
