import { headersDiffer } from "./diff.ts";
import type { Run, RunHeader, UnfinishedRun } from "./run.ts";

/** Whether a run is there already: finished, and with these very settings, whatever machine made it. */
export function isFinished(run: UnfinishedRun | undefined, header: RunHeader): run is Run {
  return run !== undefined && "cost" in run && headersDiffer(run.header, header, ["threads", "kit"]) === undefined;
}
