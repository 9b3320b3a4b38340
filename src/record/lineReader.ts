import { createHash, type Hash } from "node:crypto";
import { KitError, showValue } from "../error.ts";
import { isByEstimate } from "../tuners/define.ts";
import { digits, type Line, parseLine } from "./lines.ts";
import type { Cost, Run, Score, StepRecord, UnfinishedRun } from "./run.ts";
import { stepsTaken } from "./steps.ts";

/** A run in the making of its lines. */
interface Growing {
  run: UnfinishedRun & { readonly steps: StepRecord[]; readonly scores: Score[] };
  cost?: Cost;
}

/** Reads a run's lines as they come. */
export interface LineReader {
  /** Reads the next line, with its line break. Throws a KitError, by its number, for one that does not belong behind those before it. */
  read(line: Buffer): Line;
  /** The run as far as its lines tell it; undefined before the first. */
  run(): Run | UnfinishedRun | undefined;
}

/** Reads lines of a run from its first; `path` says in errors where they are from. */
export function lineReader(path: string): LineReader {
  const hash = createHash("sha256");
  let growing: Growing | undefined;
  let number = 0;
  return {
    read: (line) => {
      const where = `${path} line ${++number}`;
      const record = parseLine(line, where);
      growing = addLine(growing, record, where);
      checkHash(record, line, hash, where);
      return record;
    },
    run: () => growing && (growing.cost ? { ...growing.run, cost: growing.cost } : growing.run),
  };
}

/** A line's hash is that of the file up to the hash itself. */
function checkHash(record: Line, line: Buffer, hash: Hash, where: string): void {
  if ("hash" in record) {
    const own = line.subarray(0, line.lastIndexOf(',"hash":'));
    if (digits(hash.copy().update(own)) !== record.hash)
      throw new KitError(
        `${where}: the lines up to here do not have the hash ${record.hash} that it says: the file was edited; take it as it was written.`,
      );
  }
  hash.update(line);
}

function addLine(growing: Growing | undefined, record: Line, where: string): Growing {
  const wrong = (what: string): KitError =>
    new KitError(`${where} ${what}: the file was cut or edited; take it as it was written.`);
  if (growing?.cost) throw wrong("stands behind the cost, which is the last one");
  if ("header" in record) {
    const before = growing?.run;
    return { run: { header: record.header, steps: [], scores: [], ...(before && { before }) } };
  }
  if (!growing) throw wrong("is the first one, but holds no header");
  const taken = stepsTaken(growing.run);
  if ("cost" in record) return { ...growing, cost: record.cost };
  const expected = record.step === taken;
  if (!expected) throw wrong(`is of step ${record.step} where ${taken} is due`);
  if ("losses" in record) growing.run.steps.push(checkStep(record, growing.run, wrong));
  else growing.run.scores.push(withoutHash(record));
  return growing;
}

function withoutHash({ hash: _, ...score }: Score & { readonly hash: string }): Score {
  return score;
}

function checkStep(record: StepRecord, { header }: UnfinishedRun, wrong: (what: string) => KitError): StepRecord {
  if (!isByEstimate(header.tuner?.name)) return record;
  const [plus = Number.NaN, minus = Number.NaN, ...more] = record.losses;
  const grad = Math.fround((plus - minus) / (2 * Number(header.tuner?.options.eps)));
  if (more.length === 0 && grad === record.projectedGrad) return record;
  throw wrong(`has losses from which ${showValue(record.projectedGrad)} does not follow`);
}
