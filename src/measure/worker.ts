import { NotFinite } from "../error.ts";
import { loadModel } from "../models/load.ts";
import { stepsTaken } from "../record/steps.ts";
import { beginRun, type OpenRun, type RunFile, resumeRun, setAside } from "../record/write.ts";
import { useBackend } from "../tensor/backend.ts";
import type { Progress } from "../tensor/progress.ts";
import { runMethod } from "./methods.ts";
import { type Job, type Message, taskOf } from "./plan.ts";
import { messageOf } from "./process.ts";

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
  const { file, run: resume, end } = opened(job);
  const { weights, rounding, untied } = options;
  const model = (): ReturnType<typeof loadModel> => loadModel(options.model, { weights, rounding, untied, onProgress });
  const setup = { model, task, seed, options, onProgress, record: file, ...(resume && { resume }) };
  try {
    end(await runMethod(method, setup));
  } catch (error) {
    if (error instanceof NotFinite) keepDiverged(job, file);
    throw error;
  } finally {
    file.release();
  }
}

/** A run that has diverged would do so again where it is resumed: its steps make way for a run with other settings. */
function keepDiverged({ method, file: path }: Job, file: RunFile): void {
  file.release();
  const aside = setAside(path);
  if (aside !== undefined) void send({ note: `${method}: the steps until then are kept in ${aside}.` });
}

/** The file of a job, with what is in it where the job is to be resumed; says what is resumed. */
function opened({ file, options, method }: Job): OpenRun {
  if (!options.resume) return beginRun(file);
  const run = resumeRun(file);
  const note = noteOf(run);
  if (note !== undefined) void send({ note: `${method}: ${note}.` });
  return run;
}

function noteOf({ run, torn, aside }: OpenRun): string | undefined {
  if (aside !== undefined)
    return `begun anew, since a run file does not hold its gradients; what was there is kept in ${aside}`;
  if (!run || "cost" in run) return undefined;
  return `resumed after ${stepsTaken(run)} steps${torn ? ", its last line, which was torn, left out" : ""}`;
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
