import { messageOf } from "../../src/measure/process.ts";
import { measureCeilings } from "./ceilings.ts";
import { measureCase } from "./measure.ts";
import type { BenchJob, BenchMessage } from "./ownProcess.ts";
import { profileCase } from "./profile.ts";
import { measureReplay } from "./replay.ts";

const parent = process.ppid;

/** Tells the parent; returns when it has been told. */
const send = (message: BenchMessage): Promise<void> => new Promise((done) => process.send?.(message, () => done()));

/** A measurement is one long piece of work: no event of the parent's end would be heard before its own. */
function onStep(done: number): void {
  if (process.ppid !== parent) process.exit(1);
  void send({ done });
}

function measure(job: BenchJob): Promise<unknown> {
  if ("threads" in job) return measureCeilings(job.threads);
  if ("replay" in job) return measureReplay(job.replay, onStep);
  return "profile" in job ? profileCase(job.profile, onStep) : measureCase(job.measure, onStep);
}

process.once("message", async (job: BenchJob) => {
  await send(
    await measure(job).then(
      (result): BenchMessage => ({ result }),
      (error: unknown): BenchMessage => ({ error: messageOf(error) }),
    ),
  );
  process.exit();
});
