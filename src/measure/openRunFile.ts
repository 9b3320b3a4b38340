import { stepsTaken } from "../record/steps.ts";
import { beginRun, type OpenRun, resumeRun } from "../record/write.ts";

/** Whether a run may go on from what is in its file, its method, and what takes a line for the user. */
export interface OpenRunFileOptions {
  readonly resume: boolean;
  readonly method: string;
  readonly note: (text: string) => void;
}

/** The file of a run, with what is in it where that is to be resumed; notes what is resumed. Throws a KitError as `beginRun` and `resumeRun` do. */
export function openRunFile(path: string, { resume, method, note }: OpenRunFileOptions): OpenRun {
  if (!resume) return beginRun(path);
  const opened = resumeRun(path);
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
