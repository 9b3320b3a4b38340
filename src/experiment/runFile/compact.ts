import { createHash } from "node:crypto";
import { KitError } from "../../error.ts";
import type { Cost, Run, RunHeader, Score, StepRecord, UnfinishedRun } from "../run.ts";
import { BY_ESTIMATE } from "./byEstimate.ts";

/** What a compact run begins with: its name and version. */
const MAGIC: Buffer = Buffer.from("mezo-run1");
const HASH_BYTES = 8;

/** What is kept of a run and of those that it was begun from beside their estimates. */
interface Chapter {
  readonly header: RunHeader;
  readonly steps: number;
  readonly scores: readonly Score[];
}

/**
 * The run in binary: "mezo-run1", the length of what follows in JSON (uint32, as all numbers little-endian), that JSON (headers, scores,
 * cost, numbers of steps), 4 bytes a step (the estimate along z in float32), and the first 8 bytes of the SHA-256 over all before. With
 * the base model it gives the tuned weights; of the losses their differences alone are left. Throws a KitError for a run whose steps have
 * more to them than one estimate.
 */
export function compactRun(run: Run | UnfinishedRun): Uint8Array {
  const all = chaptersOf(run);
  const estimates = Float32Array.from(
    all.flatMap(({ steps }) => steps.map(({ projectedGrad }) => projectedGrad as number)),
  );
  const wrong = all.find(({ header, steps }) => steps.length > 0 && !BY_ESTIMATE.includes(header.tuner));
  if (wrong)
    throw new KitError(
      `A run of ${wrong.header.tuner} was to be made compact, but its steps have more to them than one estimate: only runs of ${BY_ESTIMATE.join(", ")} can be.`,
    );
  const chapters = all.map(({ header, steps, scores }): Chapter => ({ header, steps: steps.length, scores }));
  const text = Buffer.from(JSON.stringify({ chapters, ...("cost" in run && { cost: run.cost }) }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  const floats = Buffer.alloc(4 * estimates.length);
  for (const [i, estimate] of estimates.entries()) floats.writeFloatLE(estimate, 4 * i);
  const body = Buffer.concat([MAGIC, length, text, floats]);
  return Buffer.concat([body, hashOf(body)]);
}

/** Whether a file is a compact run. */
export function isCompact(bytes: Uint8Array): boolean {
  return MAGIC.equals(bytes.subarray(0, MAGIC.length));
}

/** The run that a compact one holds; the losses of its steps are ± eps times the estimate. Throws a KitError for one that was changed. */
export function readCompact(bytes: Uint8Array, path = "the compact run"): Run | UnfinishedRun {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const body = all.subarray(0, Math.max(0, all.length - HASH_BYTES));
  if (!isCompact(body) || !hashOf(body).equals(all.subarray(body.length)))
    throw new KitError(`${path}: its bytes do not have the hash at their end: it was cut or changed; write it again.`);
  const start = MAGIC.length + 4;
  const from = start + body.readUInt32LE(MAGIC.length);
  const { chapters, cost } = JSON.parse(body.toString("utf8", start, from)) as { chapters: Chapter[]; cost?: Cost };
  let [at, step] = [from, 0];
  let run: UnfinishedRun | undefined;
  for (const { header, steps: count, scores } of chapters) {
    const steps = Array.from({ length: count }, () => {
      const record = stepOf(step++, body.readFloatLE(at), header);
      at += 4;
      return record;
    });
    const before: UnfinishedRun | undefined = run;
    run = { header, steps, scores, ...(before && { before }) };
  }
  return cost ? { ...run!, cost } : run!;
}

/** A step whose losses have the difference that gives the estimate. */
function stepOf(step: number, projectedGrad: number, { options }: RunHeader): StepRecord {
  const loss = projectedGrad * Number(options.eps);
  return { step, losses: [loss, -loss], projectedGrad };
}

function chaptersOf(run: UnfinishedRun): UnfinishedRun[] {
  return [...(run.before ? chaptersOf(run.before) : []), run];
}

const hashOf = (body: Uint8Array): Buffer => createHash("sha256").update(body).digest().subarray(0, HASH_BYTES);
