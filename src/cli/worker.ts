import { createRunFile, discardPart, writeRun } from "../experiment/runFile.ts";
import { loadModel } from "../models/load.ts";
import { useBackend } from "../tensor/backend.ts";
import type { Progress } from "../tensor/progress.ts";
import { messageOf } from "./exit.ts";
import { type Job, type Message, taskOf } from "./job.ts";
import { runMethod } from "./runMethod.ts";

/** Several reports a second are enough for a reader. */
const REPORT_MILLISECONDS = 200;

const parent = process.ppid;

/** Tells the parent; returns when it has been told. */
const send = (message: Message): Promise<void> => new Promise((done) => process.send?.(message, () => done()));

function reporter(job: Job): Progress {
  let last = 0;
  return (progress) => {
    const now = performance.now();
    if (now - last < REPORT_MILLISECONDS && progress.done < progress.total) return;
    last = now;
    // A run is one long piece of work: no event of a parent's end would be heard before its own.
    if (process.ppid !== parent) abandon(job);
    void send({ progress });
  };
}

function abandon(job: Job): never {
  discardPart(job.file);
  process.exit(1);
}

async function runJob(job: Job): Promise<void> {
  const { options, method, seed } = job;
  await useBackend(options.backend, options.threads);
  const onProgress = reporter(job);
  const task = await taskOf(job);
  const file = createRunFile(job.file);
  const { weights, rounding } = options;
  const model = (): ReturnType<typeof loadModel> => loadModel(options.model, { weights, rounding, onProgress });
  const run = await runMethod(method, { model, task, seed, options, onProgress, record: file });
  // Methods that take steps have written their run as it happened.
  if (run.steps.length > 0) file.finish(run.cost);
  else writeRun(job.file, run);
}

process.once("message", async (job: Job) => {
  process.once("disconnect", () => abandon(job));
  const outcome = await runJob(job).then(
    (): Message => ({ done: true }),
    (error: unknown): Message => ({ error: messageOf(error) }),
  );
  await send(outcome);
  process.removeAllListeners("disconnect");
  process.disconnect();
  process.exit(); // a GPU's driver would keep the process alive
});
