import { evaluate, evaluateMajority } from "../experiment/evaluate.ts";
import { createRunFile, discardPart, writeRun } from "../experiment/runFile.ts";
import { tune } from "../experiment/tune.ts";
import { loadModel } from "../models/load.ts";
import { loadTask } from "../tasks/load.ts";
import type { Task } from "../tasks/task.ts";
import { useBackend } from "../tensor/backend.ts";
import type { Progress } from "../tensor/progress.ts";
import { messageOf } from "./exit.ts";
import type { Job, Message } from "./job.ts";
import { tunerOf } from "./tuner.ts";

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

async function evaluated(job: Job, task: Task): Promise<void> {
  const { options, seed } = job;
  const onProgress = reporter(job);
  const model = await loadModel(options.model, onProgress);
  const shots = job.method === "ICL" ? options.shots : 0;
  writeRun(job.file, await evaluate(model, task, { shots, seed, begin: options.begin, onProgress }));
}

async function tuned(job: Job, task: Task): Promise<void> {
  const { steps, batchSize, begin, model: id } = job.options;
  const onProgress = reporter(job);
  const record = createRunFile(job.file);
  const model = await loadModel(id, onProgress);
  const settings = { steps, batchSize, seed: job.seed, begin, onProgress, record };
  const { cost } = await tune(model, task, tunerOf(job.options), settings);
  record.finish(cost);
}

async function runJob(job: Job): Promise<void> {
  const { task: name, data, train, dev, test, backend, threads } = job.options;
  await useBackend(backend, threads);
  const task = loadTask(name, { data, train, dev, test, seed: job.seed });
  if (job.method === "Majority") writeRun(job.file, evaluateMajority(task, job.seed));
  else if (job.method === "MeZO") await tuned(job, task);
  else await evaluated(job, task);
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
});
