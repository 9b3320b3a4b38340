import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Port } from "../../src/cluster/port.ts";
import { tune } from "../../src/experiment/tune.ts";
import type { Cluster } from "../../src/experiment/tuneOptions.ts";
import type { LanguageModel } from "../../src/models/network.ts";
import type { Task } from "../../src/tasks/task.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { WORDS } from "../tiny.ts";

/** Rows of so many tokens, with the begin token, "It was" and the answer; no two are the same, as a repeated one would be left out of the task. */
export function rowsFile(folder: string, tokens: number): string {
  const sentence = (row: number): string =>
    Array.from(
      { length: tokens - 4 },
      (_, i) => WORDS[2 + ((((row + 1) * (i + 1) ** 2) % 1009) % (WORDS.length - 2))],
    ).join(" ");
  const file = join(folder, "rows.csv");
  const lines = Array.from({ length: 64 }, (_, row) => `${sentence(row)},${row % 2}\n`);
  writeFileSync(file, `sentence,label\n${lines.join("")}`);
  return file;
}

/** How many steps are taken, of how many rows, and who computes them where it is not this process. */
export interface TimedSteps {
  readonly steps: number;
  readonly rows: number;
  readonly cluster?: Cluster;
  /** Told of each step's end, by its number from 0. */
  readonly onStep?: (step: number) => void;
}

/** The seconds of each step but the first. */
export async function timeSteps(
  model: LanguageModel,
  task: Task,
  { steps, rows: batchSize, cluster, onStep = () => {} }: TimedSteps,
): Promise<number[]> {
  const ends: number[] = [];
  const step = (): void => onStep(ends.push(performance.now()) - 1);
  const record = { start: () => {}, step, score: () => {} };
  const settings = { steps, batchSize, evaluateEvery: steps, record, ...(cluster && { cluster }) };
  await tune(model, task, mezo({ lr: 1e-7 }), settings);
  return ends.slice(1).map((end, i) => (end - ends[i]!) / 1e3);
}

/** A port that adds up the bytes of the messages that pass it. */
export function counting(port: Port): { readonly port: Port; readonly bytes: () => number } {
  let bytes = 0;
  const add = (text: string): void => {
    bytes += Buffer.byteLength(text);
  };
  const counted: Port = {
    ...port,
    append: (run, text, place) => {
      add(text);
      return port.append(run, text, place);
    },
    publish: (piece, text) => {
      add(text);
      return port.publish(piece, text);
    },
    answers: async function* (run, signal) {
      for await (const answer of port.answers(run, signal)) {
        add(answer.text);
        yield answer;
      }
    },
  };
  return { port: counted, bytes: () => bytes };
}
