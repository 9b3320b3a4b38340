import { NotFinite } from "../error.ts";
import { loadModel } from "../models/load.ts";
import { stepsTaken } from "../record/steps.ts";
import { beginRun, type OpenRun, type RunFile, resumeRun, setAside } from "../record/write.ts";
import { useBackend } from "../tensor/backend.ts";
import type { Progress, ProgressEvent } from "../tensor/progress.ts";
import { findMethod } from "./methods.ts";
import { drawTask, type Job } from "./plan.ts";
import { type Reports, serve } from "./process.ts";

/** Several reports a second are enough for a reader. */
const REPORT_MILLISECONDS = 200;

/** Passes on what is done in the end, and a few events a second before. */
function throttle(report: Progress): Progress {
  let last = 0;
  return (event) => {
    const now = performance.now();
    if (now - last < REPORT_MILLISECONDS && event.done < event.total) return;
    last = now;
    report(event);
  };
}

async function run(job: Job, reports: Reports<ProgressEvent>): Promise<void> {
  const { request, method, seed } = job;
  const { revision, weights, rounding, untied } = request;
  await useBackend(request.backend, request.threads);
  const onProgress = throttle(reports.progress);
  const task = await drawTask(job);
  const { file, run: resume, end } = openFile(job, reports);
  const model = (): ReturnType<typeof loadModel> =>
    loadModel(request.model, { revision, weights, rounding, untied, onProgress });
  const setup = { model, task, seed, request, onProgress, record: file, ...(resume && { resume }) };
  try {
    end(await findMethod(method)!.run(setup));
  } catch (error) {
    if (error instanceof NotFinite) keepDiverged(job, file, reports);
    throw error;
  } finally {
    file.release();
  }
}

/** A run that has diverged would do so again where it is resumed: its steps make way for a run with other settings. */
function keepDiverged({ method, file: path }: Job, file: RunFile, { note }: Reports<ProgressEvent>): void {
  file.release();
  const aside = setAside(path);
  if (aside !== undefined) note(`${method}: the steps until then are kept in ${aside}.`);
}

/** The file of a job, with what is in it where the job is to be resumed; notes what is resumed. */
function openFile({ file, request, method }: Job, { note }: Reports<ProgressEvent>): OpenRun {
  if (!request.resume) return beginRun(file);
  const opened = resumeRun(file);
  const remark = resumeRemark(opened);
  if (remark !== undefined) note(`${method}: ${remark}.`);
  return opened;
}

function resumeRemark({ run, torn, aside }: OpenRun): string | undefined {
  if (aside !== undefined)
    return `started over, as a run file does not hold its gradients; the earlier steps are kept in ${aside}`;
  if (!run || "cost" in run) return undefined;
  return `resumed after ${stepsTaken(run)} steps${torn ? ", its last line, which was torn, left out" : ""}`;
}

serve(run);
