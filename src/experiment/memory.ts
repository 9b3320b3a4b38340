import { readFileSync, writeFileSync } from "node:fs";

/**
 * Forgets the peak so far, so that `peakBytes` tells of what follows. Linux alone can do this; elsewhere the peak is the process's,
 * and a run that wants its own has a process to itself.
 */
export function resetPeak(): void {
  try {
    writeFileSync("/proc/self/clear_refs", "5");
  } catch {
    // No such file, or not ours to write: the peak stays the process's.
  }
}

/** Peak resident memory of this process in bytes, since `resetPeak` where the system can tell. */
export function peakBytes(): number {
  try {
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"));
    if (peak) return Number(peak[1]) * 1024;
  } catch {
    // Not Linux.
  }
  return process.resourceUsage().maxRSS * 1024;
}
