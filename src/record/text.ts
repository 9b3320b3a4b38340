import { shorten, showValue } from "../error.ts";
import type { DataSource } from "../tasks/task.ts";
import type { HalfKind } from "../tensor/source.ts";
import type { Difference, ForkSettings, Parting } from "./diff.ts";
import type { NamedOptions } from "./run.ts";

/** "CB/train.jsonl + CB/val.jsonl, sha256 0123456789ab" */
export function dataText({ files, sha256 }: DataSource): string {
  return `${files.join(" + ")}, sha256 ${sha256}`;
}

/** "float16, stochastic rounding" */
export function weightsText({ format, rounding }: HalfKind): string {
  return `${format}, ${rounding} rounding`;
}

/** "LoRA (rank 8, alpha 16)", or "no adapter". */
export function adapterText(adapter: NamedOptions | undefined): string {
  if (!adapter) return "no adapter";
  const options = Object.entries(adapter.options).map(([name, value]) => `${name} ${value}`);
  return options.length === 0 ? adapter.name : `${adapter.name} (${options.join(", ")})`;
}

/** "tuner.options.lr is 0.001 in one and 0.01 in the other" */
export function differenceText({ what, one, other }: Difference): string {
  return `${shorten(what)} is ${bothTexts(one, other)}`;
}

/** Why two runs part. */
export function partingText({ step, what, one, other }: Parting): string {
  if (what === "steps") return `one ends after ${step} steps, the other after ${Math.max(Number(one), Number(other))}`;
  if (what === "losses") return `the losses of step ${step} are ${bothTexts(one, other)}`;
  if (what !== "fork") return differenceText({ what, one, other });
  if (one === undefined) return `one ends, the other continues as a fork (${forkText(other)})`;
  if (other === undefined) return `one continues as a fork (${forkText(one)}), the other ends`;
  return `one was forked after ${one} steps, the other after ${other}`;
}

function forkText(settings: unknown): string {
  const { seed, lr } = settings as ForkSettings;
  return `seed ${showValue(seed)}, lr ${showValue(lr)}`;
}

function bothTexts(one: unknown, other: unknown): string {
  const [left, right] = [one, other].map((value) => {
    if (value === undefined) return "absent";
    return Array.isArray(value) ? shorten(value.join(" and ")) : showValue(value);
  });
  return `${left} in one and ${right} in the other`;
}
