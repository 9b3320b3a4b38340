import { createHash, type Hash } from "node:crypto";
import { NotFinite } from "../../error.ts";
import type { Cost, RunHeader, Score, StepRecord, UnfinishedRun } from "../run.ts";
import { shortest } from "./float32.ts";

/** The digits of a run file's hashes. */
export const digits = (hash: Hash): string => hash.digest("hex").slice(0, 16);

/** Makes the lines of a run's file, one after the other: each hash is over all that stands before it. A NotFinite says which number is not finite. */
export interface Chain {
  header(header: RunHeader): string;
  step(step: StepRecord): string;
  score(score: Score): string;
  cost(cost: Cost): string;
  /** Header, steps and scores in the order they were made, after those of the run that it was begun from. */
  run(run: UnfinishedRun): string;
  /** The SHA-256 over all lines so far. */
  digest(): Buffer;
}

/** The lines of a file that has the bytes already that `hash` is over. */
export function chain(hash: Hash = createHash("sha256")): Chain {
  const line = (record: object): string => {
    const text = `${JSON.stringify(record, onlyFinite)}\n`;
    hash.update(text);
    return text;
  };
  const hashed = (record: object): string => {
    const own = JSON.stringify(record, onlyFinite).slice(0, -1);
    return line({ ...record, hash: digits(hash.copy().update(own)) });
  };
  const step = (record: StepRecord): string => line(shortened(record));
  const run = ({ header, steps, scores, before }: UnfinishedRun): string => {
    const earlier = before ? run(before) : "";
    const lines = [() => hashed({ header }), ...inOrder({ step, score: hashed }, steps, scores)];
    return earlier + lines.map((write) => write()).join("");
  };
  return {
    ...{ step, run, score: hashed },
    header: (header) => hashed({ header }),
    cost: (cost) => hashed({ cost }),
    digest: () => hash.copy().digest(),
  };
}

/** What makes the line of each step and score, in the order they were made. */
function inOrder(
  { step, score }: Pick<Chain, "step" | "score">,
  steps: readonly StepRecord[],
  scores: readonly Score[],
): (() => string)[] {
  const records = [
    ...steps.map((each) => ({ taken: each.step + 1, write: () => step(each) })),
    ...scores.map((each) => ({ taken: each.step, write: () => score(each) })),
  ];
  return records.toSorted((a, b) => a.taken - b.taken).map(({ write }) => write);
}

/** The step with its estimates in the fewest digits that tell them. */
function shortened({ projectedGrad, ...step }: StepRecord): StepRecord {
  if (projectedGrad === undefined) return step;
  return {
    ...step,
    projectedGrad: typeof projectedGrad === "number" ? shortest(projectedGrad) : projectedGrad.map(shortest),
  };
}

/** JSON has no NaN and no Infinity: they would be read back as null. */
function onlyFinite(key: string, value: unknown): unknown {
  if (typeof value !== "number" || Number.isFinite(value)) return value;
  throw new NotFinite(`The run's ${key} is ${value}, which a run file cannot hold; try a smaller learning rate.`);
}
