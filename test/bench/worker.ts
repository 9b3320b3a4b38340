import { type Reports, serve } from "../../src/measure/process.ts";
import { measureBackend } from "./backendCase.ts";
import { measureCeilings } from "./ceilings.ts";
import { measureCase } from "./measure.ts";
import type { BenchJob } from "./ownProcess.ts";
import { profileCase } from "./profile.ts";
import { measureReplay } from "./replay.ts";

serve((job: BenchJob, { progress }: Reports<number>): Promise<unknown> => {
  if ("threads" in job) return measureCeilings(job.threads);
  if ("backend" in job) return measureBackend(job.backend);
  if ("replay" in job) return measureReplay(job.replay, progress);
  return "profile" in job ? profileCase(job.profile, progress) : measureCase(job.measure, progress);
});
