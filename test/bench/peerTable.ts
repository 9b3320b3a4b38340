import { numberColumns, toTerminal } from "../../src/report/table.ts";
import type { Ceilings } from "./ceilings.ts";
import { type Limit, limitOf, limitSeconds } from "./limit.ts";
import type { CaseResult } from "./measure.ts";
import { median } from "./median.ts";
import type { OwnMemory } from "./ownMemory.ts";
import { MEMORY_TARGET, ourRequest } from "./peerCases.ts";
import { PEER_KINDS } from "./peerFind.ts";
import type { Comparison, OurSteps } from "./peerRounds.ts";

const HEAD = ["", "peer", "ours, s", "theirs, s", "time", "target", "ours, MiB", "theirs, MiB", "memory", "target"];
const MIB = 2 ** 20;

/** The comparisons as a table: medians over the rounds, of the ratios too. */
export function peerText(comparisons: readonly Comparison[]): string {
  const columns = HEAD.map((name, i) => ({ name, align: i < 2 ? "left" : "right" }) as const);
  return toTerminal({ columns, rows: comparisons.map(cellsOf) }, true);
}

function cellsOf({ title, kind, pytorch, ours, theirs, time, memory, target }: Comparison): string[] {
  return [
    title,
    `PyTorch ${pytorch}, ${PEER_KINDS[kind].title}`,
    median(ours.map(({ stepSeconds }) => stepSeconds)).toFixed(2),
    median(theirs.map(({ step_s }) => step_s)).toFixed(2),
    time.toFixed(2),
    targetText(target?.time),
    median(ours.map(({ peakMib }) => peakMib)).toFixed(0),
    median(theirs.map(({ peak_rss_mb }) => peak_rss_mb)).toFixed(0),
    memory.toFixed(2),
    targetText(target?.memory),
  ];
}

const targetText = (most: number | undefined): string => (most === undefined ? "" : `≤ ${most.toFixed(2)}`);

/** Our peak memory over that of our own inference as a table. */
export function memoryText(found: readonly OwnMemory[]): string {
  const columns = numberColumns(["weights in", "MeZO step, MiB", "inference, MiB", "memory", "target"]);
  const rows = found.map(({ weights, stepBytes, inferenceBytes }) => [
    ...[weights, (stepBytes / MIB).toFixed(0), (inferenceBytes / MIB).toFixed(0)],
    ...[(stepBytes / inferenceBytes).toFixed(2), targetText(MEMORY_TARGET)],
  ]);
  return toTerminal({ columns, rows }, true);
}

/** What our step's time over its limit shall not exceed. */
const LIMIT_TARGET = 1.35;

/** Where the time of our steps goes, as the ceilings predict it and as found: a table of milliseconds. */
export function limitText(ours: readonly OurSteps[], ceilings: Ceilings): string {
  const names = ["products", "noise", "both", "attention", "rest", "step"];
  const columns = numberColumns(["ms, predicted / found", ...names, "step/limit", "target"]);
  return toTerminal({ columns, rows: ours.map((steps) => limitCells(steps, ceilings)) }, true);
}

function limitCells({ one, results }: OurSteps, ceilings: Ceilings): string[] {
  const request = ourRequest(one, { steps: 1, threads: 1 });
  const { stepSeconds, ...found } = foundOf(results);
  const limit = limitOf(request, results[0]!, ceilings)!;
  const pairs = PARTS.map((part) => [limitPart(limit, part), found[part]] as const);
  const cell = ([predicted, there]: readonly [number, number]): string => `${ms(predicted)} / ${ms(there)}`;
  return [
    one.title,
    ...[...pairs, [limitSeconds(limit), stepSeconds] as const].map(cell),
    (stepSeconds / limitSeconds(limit)).toFixed(2),
    targetText(LIMIT_TARGET),
  ];
}

const ms = (seconds: number): string => (1e3 * seconds).toFixed(0);

const PARTS = ["products", "noise", "both", "attention", "rest"] as const;

function limitPart({ products, noise, attention }: Limit, part: (typeof PARTS)[number]): number {
  return { products, noise, both: products + noise, attention, rest: 0 }[part];
}

/** The medians over the rounds. Noise that a product makes itself is found in products, so that both together are compared. */
function foundOf(results: readonly CaseResult[]): Record<(typeof PARTS)[number] | "stepSeconds", number> {
  const middle = (of: (result: CaseResult) => number): number => median(results.map(of));
  const products = middle(({ productSeconds }) => productSeconds);
  const noise = middle(({ noiseSeconds }) => noiseSeconds);
  const attention = middle(({ attentionSeconds }) => attentionSeconds);
  const stepSeconds = middle((result) => result.stepSeconds);
  const both = products + noise;
  return { products, noise, both, attention, rest: stepSeconds - both - attention, stepSeconds };
}
