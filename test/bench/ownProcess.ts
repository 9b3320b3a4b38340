import { fileURLToPath } from "node:url";
import { KitError } from "../../src/error.ts";
import { ProcessEnded, runProcess } from "../../src/measure/process.ts";
import type { Progress } from "../../src/tensor/progress.ts";
import type { BackendCase, BackendResult } from "./backendCase.ts";
import type { Ceilings } from "./ceilings.ts";
import type { CaseResult } from "./measure.ts";
import type { Profile } from "./profile.ts";
import type { ReplayRequest, ReplayResult } from "./replay.ts";
import { type CaseRequest, caseLabel } from "./request.ts";

/** What a process is made for: a case to measure or to profile, or the ceilings on a number of threads. */
export type BenchJob =
  | { readonly measure: CaseRequest }
  | { readonly profile: CaseRequest }
  | { readonly replay: ReplayRequest }
  | { readonly backend: BackendCase }
  | { readonly threads: number };

const WORKER = fileURLToPath(new URL("worker.js", import.meta.url));

/** Measures a case in a process of its own, so that its peak memory is its own; progress and errors have the label. Throws a KitError where that fails. */
export function caseResult(request: CaseRequest, label: string, onProgress: Progress): Promise<CaseResult> {
  const total = request.steps + 1;
  return inProcess({ measure: request }, label, (done) => onProgress({ label, done, total }));
}

/** Profiles a case in a process of its own. Throws a KitError where that fails. */
export function caseProfile(request: CaseRequest, onProgress: Progress): Promise<Profile> {
  const total = request.steps + 1;
  const label = `${caseLabel(request)}, profile`;
  return inProcess({ profile: request }, label, (done) => onProgress({ label, done, total }));
}

/** Trains and replays in a process of its own. Throws a KitError where that fails. */
export function replayResult(request: ReplayRequest, onProgress: Progress): Promise<ReplayResult> {
  const label = `${request.law} z`;
  return inProcess({ replay: request }, label, (done) => onProgress({ label, done, total: request.steps }));
}

/** Measures a backend in a process of its own. Throws a KitError where that fails. */
export async function backendResult(request: BackendCase, onProgress: Progress): Promise<BackendResult> {
  const label = `${request.model} ${request.weights} ${request.backend}`;
  onProgress({ label, done: 0, total: 1 });
  const found = await inProcess<BackendResult>({ backend: request }, label, () => {});
  onProgress({ label, done: 1, total: 1 });
  return found;
}

/** Measures the ceilings in a process of its own. Throws a KitError where that fails. */
export async function ceilings(threads: number, onProgress: Progress): Promise<Ceilings> {
  const label = "ceilings";
  onProgress({ label, done: 0, total: 1 });
  const found = await inProcess<Ceilings>({ threads }, label, () => {});
  onProgress({ label, done: 1, total: 1 });
  return found;
}

/** Node's flags are those of a process by itself; the steps that are done are its progress. */
async function inProcess<Result>(job: BenchJob, label: string, onProgress: (done: number) => void): Promise<Result> {
  try {
    return await runProcess<Result, number>({ program: WORKER, job, onProgress, flags: [] });
  } catch (error) {
    const { message } = error as Error;
    throw new KitError(
      error instanceof ProcessEnded ? `${label} ended early (${message}): run it again.` : `${label}: ${message}`,
    );
  }
}
