import { KitError } from "../error.ts";
import { evaluate, evaluateMajority } from "../experiment/evaluate.ts";
import type { Run } from "../experiment/run.ts";
import { createRunFile, writeRun } from "../experiment/runFile.ts";
import { tune } from "../experiment/tune.ts";
import { loadModel } from "../models/load.ts";
import { loadTask } from "../tasks/load.ts";
import type { Task } from "../tasks/task.ts";
import { useBackend } from "../tensor/backend.ts";
import { gaussian, rademacher } from "../tensor/perturb.ts";
import type { Progress } from "../tensor/progress.ts";
import { mezo } from "../tuners/mezo.ts";
import type { Job, Message } from "./job.ts";

/** Several reports a second are enough for a reader. */
const REPORT_MILLISECONDS = 200;

const send = (message: Message): void => void process.send?.(message);

function reporter(): Progress {
  let last = 0;
  return (progress) => {
    const now = performance.now();
    if (now - last < REPORT_MILLISECONDS && progress.done < progress.total) return;
    last = now;
    send({ progress });
  };
}

async function evaluated(job: Job, task: Task): Promise<Run> {
  const { options, seed } = job;
  const onProgress = reporter();
  const model = await loadModel(options.model, onProgress);
  const shots = job.method === "ICL" ? options.shots : 0;
  const run = await evaluate(model, task, { shots, seed, begin: options.begin, onProgress });
  writeRun(job.file, run);
  return run;
}

async function tuned(job: Job, task: Task): Promise<Run> {
  const { options, seed } = job;
  const { lr, eps, weightDecay, schedule, steps, batchSize, begin } = options;
  const onProgress = reporter();
  const record = createRunFile(job.file);
  const tuner = mezo({ lr, eps, weightDecay, schedule, noise: { gaussian, rademacher }[options.noise] });
  const model = await loadModel(options.model, onProgress);
  const run = await tune(model, task, tuner, { steps, batchSize, seed, begin, onProgress, record });
  record.finish(run.cost);
  return run;
}

async function runJob(job: Job): Promise<Run> {
  const { task: name, data, train, dev, test, backend, threads } = job.options;
  await useBackend(backend, threads);
  const task = loadTask(name, { data, train, dev, test, seed: job.seed });
  if (job.method === "MeZO") return tuned(job, task);
  if (job.method !== "Majority") return evaluated(job, task);
  const run = evaluateMajority(task, job.seed);
  writeRun(job.file, run);
  return run;
}

process.once("message", (job: Job) => {
  runJob(job)
    .then((run) => send({ run }))
    .catch((error: Error) =>
      send({ error: error instanceof KitError ? error.message : (error.stack ?? String(error)) }),
    )
    .finally(() => process.disconnect());
});
