import { NotFinite } from "../error.ts";
import { loadModel } from "../models/load.ts";
import { type RunFile, setAside } from "../record/write.ts";
import { useBackend } from "../tensor/backend.ts";
import type { Progress, ProgressEvent } from "../tensor/progress.ts";
import { findMethod } from "./methods.ts";
import { openRunFile } from "./openRunFile.ts";
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
  const { revision, weights, rounding, untied, threads, products } = request;
  await useBackend(request.backend, { threads, products });
  const onProgress = throttle(reports.progress);
  const task = await drawTask(job);
  const { file, run: resume, end } = openRunFile(job.file, { resume: request.resume, method, note: reports.note });
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

serve(run);
