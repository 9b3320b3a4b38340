import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { KitError } from "../error.ts";
import type { Cost, Run, RunHeader, Score, StepRecord } from "./run.ts";
import type { RunRecorder } from "./tune.ts";

/** A run on its way to a file: what has happened is on disk, under a `.part` name until `finish` gives it its own. */
export interface RunFile extends RunRecorder {
  finish(cost: Cost): void;
}

/** Starts a run file, JSON Lines: a header, a line per step and per score in their order, and last what the run cost. */
export function createRunFile(path: string): RunFile {
  const part = `${path}.part`;
  const line = (record: object): void => appendFileSync(part, `${JSON.stringify(record)}\n`);
  return {
    start: (header) => {
      prepare(part);
      line({ header });
    },
    step: (step) => line(step),
    score: (score) => line(score),
    finish: (cost) => {
      line({ cost });
      renameSync(part, path);
    },
  };
}

function prepare(part: string): void {
  try {
    mkdirSync(dirname(part), { recursive: true });
    writeFileSync(part, "");
  } catch (error) {
    throw new KitError(
      `${dirname(part)}: a run was to be written there, but it cannot be (${(error as NodeJS.ErrnoException).code}); name a folder that can with --out.`,
    );
  }
}

/** Writes a whole run. Throws a KitError where the folder cannot be written to. */
export function writeRun(path: string, { header, steps, scores, cost }: Run): void {
  const file = createRunFile(path);
  file.start(header);
  for (const step of steps) {
    file.step(step);
    for (const score of scores.filter((s) => s.step === step.step + 1)) file.score(score);
  }
  for (const score of scores.filter((s) => s.step === 0)) file.score(score);
  file.finish(cost);
}

/** Reads a finished run. Throws a KitError for a file that is none, with the line that is wrong. */
export function readRun(path: string): Run {
  const lines = readFileSync(path, "utf8").split("\n").filter(Boolean);
  const records = lines.map((line, i) => parse(line, `${path} line ${i + 1}`));
  const header = records[0]?.header as RunHeader | undefined;
  const cost = records.at(-1)?.cost as Cost | undefined;
  if (!header || !cost)
    throw new KitError(
      `${path} is no finished run: its first line must hold the header and its last the cost; run it again.`,
    );
  const body = records.slice(1, -1);
  return {
    header,
    steps: body.filter((r) => "projectedGrad" in r) as unknown as StepRecord[],
    scores: body.filter((r) => "accuracy" in r) as unknown as Score[],
    cost,
  };
}

function parse(line: string, where: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    throw new KitError(`${where} is not JSON: the file was cut or edited; run it again.`);
  }
}
