import { isMarked } from "../measure/methods.ts";
import type { Run } from "../record/run.ts";
import { mebibytes, whole } from "./table.ts";

/** Which memory a table or a picture of runs shows: the GPU's, or the process's. */
export interface ShownPeak {
  /** A column's heading. */
  readonly heading: string;
  /** An axis's title. */
  readonly title: string;
  /** In bytes. */
  readonly of: (run: Run) => number;
  /** The prediction that belongs to it, where a run says it. */
  readonly predicted: (run: Run) => Run["cost"]["predicted"];
  /** Lines for a table's foot that say what is not as usual. */
  readonly notes: readonly string[];
}

/** The peak that runs have in common: the GPU's where each run with a model has one, else the process's. */
export function shownPeak(runs: readonly Run[]): ShownPeak {
  const marked = runs.filter(({ header }) => isMarked(header.method));
  const onDevice = marked.filter(({ cost }) => cost.devicePeakBytes !== undefined);
  if (onDevice.length > 0 && onDevice.length === marked.length)
    return {
      heading: "GPU MiB",
      title: "Peak memory of tensors on the GPU (MiB)",
      of: ({ cost }) => cost.devicePeakBytes ?? 0,
      predicted: ({ cost }) => cost.predicted,
      notes: [
        `GPU MiB: the peak of all tensors on the GPU, without what its libraries take for themselves; the process beside it took ${processText(marked)} MiB.`,
      ],
    };
  return {
    heading: "peak MiB",
    title: "Peak memory of the process (MiB)",
    of: ({ cost }) => cost.peakBytes,
    predicted: ({ cost }) => (cost.devicePeakBytes === undefined ? cost.predicted : undefined),
    notes: onDevice.length === 0 ? [] : [mixedText(onDevice)],
  };
}

/** "812 to 930" */
function processText(runs: readonly Run[]): string {
  const peaks = runs.map(({ cost }) => mebibytes(cost.peakBytes));
  const [low, high] = [Math.min(...peaks), Math.max(...peaks)].map(whole);
  return low === high ? low! : `${low} to ${high}`;
}

function mixedText(runs: readonly Run[]): string {
  const backends = [...new Set(runs.map(({ header }) => header.backend))].join(" and ");
  return `Peak MiB is the process's: it leaves out what the runs on ${backends} had on the GPU.`;
}
