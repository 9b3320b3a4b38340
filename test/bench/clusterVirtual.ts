import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { tune } from "../../src/experiment/tune.ts";
import type { LanguageModel } from "../../src/models/network.ts";
import type { Task } from "../../src/tasks/task.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { faultless, simulate } from "../cluster/simulation.ts";
import { WORDS } from "../tiny.ts";

/** What is simulated: the real coordinator with workers in virtual time, and what befalls them. */
export interface VirtualCase {
  readonly workers: number;
  readonly shards: number;
  /** Spread of the logarithm of a piece's time. */
  readonly sigma: number;
  /** The share of pieces whose worker dies with them. */
  readonly deaths: number;
}

/** How long steps took, in steps of one process without either. */
export interface VirtualPoint extends VirtualCase {
  readonly relativeStep: number;
  /** How many times one process is as slow. */
  readonly speedUp: number;
  /** Pieces that were computed, over those that were needed. */
  readonly computed: number;
  /** What the simulation itself took. */
  readonly realSeconds: number;
}

/** A step of one process in virtual seconds: its passes, and moving the weights, which every worker does; and a message's way. */
export const VIRTUAL = { passSeconds: 1, lookSeconds: 0.02, moveSeconds: 0.02, latency: 0.0005, rows: 1024 } as const;

const STEPS = 5;

/** A file of short rows that are all different, enough for a batch and its scores. */
export function virtualRows(folder: string): string {
  const words = WORDS.slice(2);
  const sentence = (row: number): string =>
    [0, 1, 2, 3].map((i) => words[Math.floor(row / words.length ** i) % words.length]).join(" ");
  const file = join(folder, "rows.csv");
  const lines = Array.from({ length: VIRTUAL.rows + 16 }, (_, row) => `${sentence(row)},${row % 2}\n`);
  writeFileSync(file, `sentence,label\n${lines.join("")}`);
  return file;
}

/** Has a run's steps made in virtual time. A piece is handed to another after five times as long as one takes. */
export async function runVirtual(model: LanguageModel, task: Task, given: VirtualCase): Promise<VirtualPoint> {
  const { workers, shards, sigma, deaths } = given;
  const { rows, passSeconds, lookSeconds, moveSeconds } = VIRTUAL;
  const patience = 5 * (passSeconds / shards + lookSeconds + moveSeconds);
  const started = performance.now();
  const { clock, happened, coordinated, stop } = simulate({
    ...{ ...faultless, ...VIRTUAL, workers, sigma, deaths, patience, restSeconds: 1 },
  });
  const ends: number[] = [];
  const record = { start: () => {}, step: () => void ends.push(clock.now()), score: () => {} };
  const settings = { steps: STEPS, batchSize: rows, evaluateEvery: STEPS, record };
  await coordinated(shards, (cluster) => tune(model, task, mezo({ lr: 1e-7 }), { ...settings, cluster }));
  stop();
  const relativeStep = (ends.at(-1)! - ends[0]!) / (STEPS - 1) / (passSeconds + lookSeconds + moveSeconds);
  return {
    ...{ ...given, relativeStep, speedUp: 1 / relativeStep, computed: happened.pieces / (STEPS * shards) },
    realSeconds: (performance.now() - started) / 1e3,
  };
}

/** Workers from one to 1,024, a piece or four for each, of equal workers, of unequal ones, and of such as die. */
export function virtualCases(most: number): VirtualCase[] {
  const fates = [
    { sigma: 0, deaths: 0 },
    { sigma: 0.3, deaths: 0 },
    { sigma: 1, deaths: 0 },
    { sigma: 0.3, deaths: 0.01 },
    { sigma: 0.3, deaths: 0.05 },
  ];
  const numbers = [1, 4, 16, 64, 256, 1024].filter((workers) => workers <= most);
  return numbers.flatMap((workers) =>
    [...new Set([workers, Math.min(4 * workers, VIRTUAL.rows)])].flatMap((shards) =>
      fates.map((fate) => ({ workers, shards, ...fate })),
    ),
  );
}
