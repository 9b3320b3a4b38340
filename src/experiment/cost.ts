import { readFileSync, writeFileSync } from "node:fs";
import type { Cost, PredictedBytes } from "../record/run.ts";
import { deviceMemory, runtimeBytes } from "../tensor/backend.ts";
import { totalBytes } from "./predict.ts";

/**
 * Resets the peaks, so that `measureCost` measures what follows. That of the process only Linux can reset; elsewhere it is of the whole
 * process, and a run that needs its own peak must have its own process.
 */
export function resetPeak(): void {
  deviceMemory()?.resetPeak();
  try {
    writeFileSync("/proc/self/clear_refs", "5");
  } catch {
    // No such file, or not writable: the peak stays that of the process.
  }
}

/** Peak resident memory of this process in bytes, since `resetPeak` where the system supports it. */
export function peakBytes(): number {
  try {
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"));
    if (peak) return Number(peak[1]) * 1024;
  } catch {
    // Not Linux.
  }
  return process.resourceUsage().maxRSS * 1024;
}

/** The cost of a run that began at `started` (performance.now()), with the largest of several predictions of its memory. */
export function measureCost(started: number, steps: number, predictions: readonly PredictedBytes[]): Cost {
  const widest = predictions.reduce((a, b) => (totalBytes(b) > totalBytes(a) ? b : a));
  const device = deviceMemory();
  return {
    ...{ seconds: (performance.now() - started) / 1e3, steps, peakBytes: peakBytes() },
    ...(device && { devicePeakBytes: device.peak() }),
    predicted: device ? widest : { ...widest, runtime: runtimeBytes() ?? 0 },
  };
}
