import { contentOf } from "./dataIdentity.ts";
import type { RunHeader, StepRecord, UnfinishedRun } from "./run.ts";

/** Where two runs part: after how many steps in common, and what differs there. */
export interface Parting {
  readonly step: number;
  readonly why: string;
}

/** What may differ without a difference in the weights: where and on how many threads a run was computed, and how it was looked at. */
const ELSEWHERE: readonly string[] = ["threads", "backend", "method", "kit"];

/** Where two runs part and why: the first setting that differs, or the first loss; undefined for two that are the same. */
export function diff(a: UnfinishedRun, b: UnfinishedRun): Parting | undefined {
  const [all, other] = [chapters(a), chapters(b)];
  for (const [i, { run, first }] of all.entries()) {
    const against = other[i];
    if (!against) return { step: first, why: `one goes on as a fork (${settings(run)}), the other ends` };
    const why =
      against.first !== first
        ? "one was forked, the other was not"
        : headersPart(run.header, against.run.header, ELSEWHERE);
    if (why) return { step: first, why };
    const parting = stepsPart(run.steps, against.run.steps, first);
    const isLast = i === all.length - 1 && i === other.length - 1;
    if (parting && (isLast || !parting.why.includes("ends"))) return parting;
  }
  const next = other[all.length];
  return next && { step: next.first, why: `one ends, the other goes on as a fork (${settings(next.run)})` };
}

interface Chapter {
  readonly run: UnfinishedRun;
  readonly first: number;
}

function chapters(run: UnfinishedRun): Chapter[] {
  const earlier = run.before ? chapters(run.before) : [];
  const last = earlier.at(-1);
  return [...earlier, { run, first: last ? last.first + last.run.steps.length : 0 }];
}

/**
 * What differs between two headers, in words: the first field, those in `except` aside; undefined where none does. Data goes by content
 * and by how many rows were left out of it.
 */
export function headersPart(a: RunHeader, b: RunHeader, except: readonly string[]): string | undefined {
  const [left, right] = [flat(a), flat(b)];
  const same = ["remark", ...(contentOf(a.data) === contentOf(b.data) ? ["data"] : []), ...except];
  const names = [...new Set([...left.keys(), ...right.keys()])].filter((name) => !same.includes(name));
  const name = names.find((each) => left.get(each) !== right.get(each));
  return name && `${name} is ${left.get(name) ?? "absent"} in one and ${right.get(name) ?? "absent"} in the other`;
}

type Fields = Map<string, unknown>;

/** A header's fields by name, groups unfolded: "options.lr". */
function flat(header: object, start = ""): Fields {
  const entries = Object.entries(header).flatMap(([name, value]): [string, unknown][] =>
    typeof value === "object" && value !== null ? [...flat(value, `${start}${name}.`)] : [[`${start}${name}`, value]],
  );
  return new Map(entries);
}

function stepsPart(a: readonly StepRecord[], b: readonly StepRecord[], first: number): Parting | undefined {
  const at = a.findIndex((step, i) => b[i] && step.losses.join() !== b[i]!.losses.join());
  if (at >= 0) {
    const [left, right] = [a[at]!.losses, b[at]!.losses].map((losses) => losses.join(" and "));
    return { step: first + at, why: `the losses of step ${first + at} are ${left} in one and ${right} in the other` };
  }
  if (a.length === b.length) return undefined;
  const shorter = first + Math.min(a.length, b.length);
  return {
    step: shorter,
    why: `one ends after ${shorter} steps, the other after ${first + Math.max(a.length, b.length)}`,
  };
}

const settings = ({ header }: UnfinishedRun): string => `seed ${header.seed}, lr ${header.options.lr}`;
