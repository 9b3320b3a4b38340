import { existsSync, readFileSync } from "node:fs";
import { KitError } from "../../src/error.ts";
import type { Machine } from "./machine.ts";
import type { CaseResult } from "./measure.ts";
import type { CaseRequest } from "./request.ts";
import type { ScaleCase } from "./scalePlan.ts";

/** A request and what was measured. */
export interface SavedPoint {
  readonly request: CaseRequest;
  readonly result: CaseResult;
}

/** A case that was measured. */
export interface ScalePoint extends ScaleCase {
  readonly result: CaseResult;
}

/** The points that an earlier run left in a file, none where that is of another machine. Throws a KitError for a file that no run wrote. */
export function readPoints(file: string, machine: Machine): SavedPoint[] {
  if (!existsSync(file)) return [];
  const found = parse(file);
  if (!found?.machine || !Array.isArray(found.points))
    throw new KitError(
      `${file}: the results of an earlier run were to go on from, but it holds none: move it away, or name another --output.`,
    );
  return isSame(found.machine, machine) ? found.points : [];
}

function parse(file: string): { readonly machine?: Machine; readonly points?: SavedPoint[] } | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

const isSame = (a: Machine, b: Machine): boolean =>
  a.processor === b.processor && a.cores === b.cores && a.level === b.level;

/** The point of a request. */
export function findPoint(points: readonly SavedPoint[], request: CaseRequest): SavedPoint | undefined {
  const key = JSON.stringify(request);
  return points.find((point) => JSON.stringify(point.request) === key);
}

/** The cases that were measured, with their results. */
export function measuredCases(cases: readonly ScaleCase[], points: readonly SavedPoint[]): ScalePoint[] {
  return cases.flatMap((one) => {
    const point = findPoint(points, one.request);
    return point ? [{ ...one, result: point.result }] : [];
  });
}
