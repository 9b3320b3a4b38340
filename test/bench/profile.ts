import { type GraphRun, profileGraphs, secondsInGraphs } from "../../src/tensor/native/session.ts";
import { secondsInNoise } from "../../src/tensor/noise/sweep.ts";
import { type LibraryCall, profileCalls } from "../../src/tensor/x86/library.ts";
import { callUse, graphUse, type Operation, operationsOf } from "./operations.ts";
import { NOISE_CALLS } from "./parts.ts";
import type { CaseRequest } from "./request.ts";
import { subjectOf } from "./subject.ts";

/** Where one step's time goes, on the average of all that were profiled. */
export interface Profile {
  readonly stepSeconds: number;
  readonly noiseSeconds: number;
  /** What neither noise nor an operation accounts for: JavaScript. */
  readonly restSeconds: number;
  /** The slowest first. */
  readonly operations: readonly Operation[];
}

/** Profiles the steps of a case in this process, after one step to warm up. */
export async function profileCase(request: CaseRequest, onStep: (done: number) => void): Promise<Profile> {
  const { step, dispose } = await subjectOf(request, (objective) => objective);
  await step(0);
  onStep(1);
  const runs: GraphRun[] = [];
  const calls: LibraryCall[] = [];
  const heard = (call: LibraryCall): void => {
    if (!NOISE_CALLS.has(call.name)) calls.push(call);
  };
  const before = { noise: secondsInNoise(), graphs: secondsInGraphs() };
  const started = performance.now();
  const steps = async (): Promise<void> => {
    for (let i = 1; i <= request.steps; i++) {
      await step(i);
      onStep(i + 1);
    }
  };
  await profileGraphs(
    (run) => runs.push(run),
    () => profileCalls(heard, steps),
  );
  const each = (seconds: number): number => seconds / request.steps;
  const all = (performance.now() - started) / 1e3;
  const noise = secondsInNoise() - before.noise;
  const own = calls.reduce((sum, { seconds }) => sum + seconds, 0);
  dispose();
  return {
    stepSeconds: each(all),
    noiseSeconds: each(noise),
    restSeconds: each(all - noise - (secondsInGraphs() - before.graphs) - own),
    operations: operationsOf([...runs.map(graphUse), ...calls.map(callUse)], request.steps),
  };
}
