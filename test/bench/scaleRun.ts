import type { Progress } from "../../src/tensor/progress.ts";
import { caseResult } from "./ownProcess.ts";
import { caseLabel } from "./request.ts";
import { guessWork, type ScaleCase } from "./scalePlan.ts";
import { findPoint, type SavedPoint } from "./scaleResults.ts";

/** What was measured before, and what keeps the points so far: a run that is stopped goes on from there. */
export interface Kept {
  readonly earlier: readonly SavedPoint[];
  readonly keep: (points: readonly SavedPoint[]) => void;
}

/** Measures one case; replaced in tests. */
export type MeasureCase = typeof caseResult;

/** Pieces that the whole work is told in. */
const PIECES = 100;

/** Measures the cases that were not measured before, each in a process of its own; all points, the earlier ones first. */
export async function measureMissing(
  cases: readonly ScaleCase[],
  { earlier, keep }: Kept,
  onProgress: Progress,
  measure: MeasureCase = caseResult,
): Promise<SavedPoint[]> {
  const points = [...earlier];
  const missing = cases.filter(({ request }) => !findPoint(points, request));
  const whole = sum(missing);
  for (const [i, { request }] of missing.entries()) {
    const done = Math.round((PIECES * sum(missing.slice(0, i))) / whole);
    onProgress({ label: "all cases", done, total: PIECES });
    if (findPoint(points, request)) continue; // a case of two series
    const label = `${caseLabel(request)} ${request.rows} x ${request.tokens}`;
    points.push({ request, result: await measure(request, label, onProgress) });
    keep(points);
  }
  if (missing.length > 0) onProgress({ label: "all cases", done: PIECES, total: PIECES });
  return points;
}

const sum = (cases: readonly ScaleCase[]): number => cases.reduce((total, one) => total + guessWork(one), 0);
