import { NotFinite } from "../error.ts";
import { stepsTaken } from "../experiment/cut.ts";
import { isRetraceable } from "../experiment/fromHeader.ts";
import type { UnfinishedRun } from "../experiment/run.ts";
import { earlierRun } from "../experiment/runFile/read.ts";
import { createRunFile, type RunFile, writeRun } from "../experiment/runFile/write.ts";
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

function reporter(): Progress {
  let last = 0;
  return (progress) => {
    const now = performance.now();
    if (now - last < REPORT_MILLISECONDS && progress.done < progress.total) return;
    last = now;
    // A run is one long piece of work: no event of a parent's end would be heard before its own.
    if (process.ppid !== parent) process.exit(1);
    void send({ progress });
  };
}

async function runJob(job: Job): Promise<void> {
  const { options, method, seed } = job;
  await useBackend(options.backend, options.threads);
  const onProgress = reporter();
  const task = await taskOf(job);
  const { run: resume, file } = begun(job);
  const { weights, rounding, untied } = options;
  const model = (): ReturnType<typeof loadModel> => loadModel(options.model, { weights, rounding, untied, onProgress });
  const setup = { model, task, seed, options, onProgress, record: file, ...(resume && { resume }) };
  const run = await runMethod(method, setup);
  if (run === resume) return; // it was finished already
  // Methods that take steps have written their run as it happened.
  if (run.steps.length > 0) file.finish(run.cost);
  else writeRun(job.file, run);
}

/** The file of a job, and what is in it already where the job is to be resumed. */
function begun({ file, options, method }: Job): { readonly file: RunFile; readonly run?: UnfinishedRun } {
  const { run, torn, file: begun } = (options.resume && earlierRun(file)) || {};
  const anew = { file: createRunFile(file) };
  if (!run) return anew;
  if (!begun) return { ...anew, run };
  if (stepsTaken(run) === 0) return anew;
  const steps = `${method}: resumed after ${stepsTaken(run)} steps`;
  const note = torn ? `${steps}, its last line, which was torn, left out` : steps;
  const canResume = isRetraceable(run.header);
  void send({ note: canResume ? `${note}.` : `${method}: begun anew, since a run file does not hold its gradients.` });
  return canResume ? { run, file: begun } : anew;
}

process.once("message", async (job: Job) => {
  process.once("disconnect", () => process.exit(1));
  const outcome = await runJob(job).then(
    (): Message => ({ done: true }),
    (error: unknown): Message => ({ error: messageOf(error), isNotFinite: error instanceof NotFinite }),
  );
  await send(outcome);
  process.removeAllListeners("disconnect");
  process.disconnect();
  process.exit(); // a GPU's driver would keep the process alive
});
