import { toTerminal } from "../../src/report/table.ts";
import { median } from "./median.ts";
import type { PeerKind } from "./peerCases.ts";
import type { Comparison } from "./peerRounds.ts";

const HEAD = ["", "peer", "ours, s", "theirs, s", "time", "target", "ours, MiB", "theirs, MiB", "memory", "target"];

const NAMES: Readonly<Record<PeerKind, string>> = { authors: "the authors' step", tuned: "tuned" };

/** The comparisons as a table: medians over the rounds, of the ratios too. */
export function peerText(comparisons: readonly Comparison[]): string {
  const columns = HEAD.map((name, i) => ({ name, align: i < 2 ? "left" : "right" }) as const);
  return toTerminal({ columns, rows: comparisons.map(cellsOf) });
}

function cellsOf({ title, kind, pytorch, ours, theirs, time, memory, target }: Comparison): string[] {
  return [
    title,
    `PyTorch ${pytorch}, ${NAMES[kind]}`,
    median(ours.map(({ stepSeconds }) => stepSeconds)).toFixed(2),
    median(theirs.map(({ step_s }) => step_s)).toFixed(2),
    time.toFixed(2),
    `≤ ${target.time.toFixed(2)}`,
    median(ours.map(({ peakMib }) => peakMib)).toFixed(0),
    median(theirs.map(({ peak_rss_mb }) => peak_rss_mb)).toFixed(0),
    memory.toFixed(2),
    `≤ ${target.memory.toFixed(2)}`,
  ];
}
