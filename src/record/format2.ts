import type { DataSource, Dropped } from "../tasks/task.ts";
import type { HalfKind } from "../tensor/source.ts";
import type { Options, RunHeader, RunSettings } from "./run.ts";

/** A header of format 2, which had sentences and one bag of options where later formats have values. */
export interface HeaderOfFormat2
  extends Omit<RunHeader, "weights" | "data" | "tuner" | "adapter" | "passes" | "settings"> {
  /** "float16, stochastic rounding" */
  readonly weights?: string;
  /** "CB/train.jsonl + CB/val.jsonl, sha256 0123456789ab" */
  readonly data: string;
  readonly dropped?: readonly Dropped[];
  readonly tuner: string;
  readonly adapter?: string;
  readonly passes: "pair" | "sweeps" | "none";
  /** The tuner's, the adapter's with its name before them ("LoRA.rank"), and the run's own. */
  readonly options: Options;
}

/** The run's own settings among a tuner's options. */
const SETTINGS: readonly string[] = [
  ...["steps", "batchSize", "evaluateEvery", "chooseBy", "begin"],
  ...["microBatchSize", "maximize", "checkpointing"],
];

/** The header as the present format has it. */
export function readFormat2(header: HeaderOfFormat2): RunHeader {
  const { format: _, weights, data, dropped, tuner, adapter, passes, options, ...same } = header;
  return {
    ...{ format: 3, ...same, data: readData(data, dropped) },
    ...(weights !== undefined && { weights: readWeights(weights) }),
    ...readOptions({ tuner, adapter, options }),
    ...(passes !== "none" && { passes }),
  };
}

function readWeights(text: string): HalfKind {
  const [format, rounding] = text.replace(" rounding", "").split(", ");
  return { format, rounding } as HalfKind;
}

/** Text without a hash is what tells such data from others. */
function readData(text: string, dropped: readonly Dropped[] | undefined): DataSource {
  const [files = "", sha256 = text] = text.split(", sha256 ");
  return { files: files.split(" + "), sha256, ...(dropped && { dropped }) };
}

function readOptions(of: {
  tuner: string;
  adapter: string | undefined;
  options: Options;
}): Pick<RunHeader, "tuner" | "adapter" | "settings"> {
  const { tuner, adapter, options } = of;
  if (tuner === "none") return { settings: options };
  const start = `${adapter}.`;
  const pick = (takes: (name: string) => boolean): Options =>
    Object.fromEntries(Object.entries(options).filter(([name]) => takes(name)));
  const settings: RunSettings = pick((name) => SETTINGS.includes(name));
  const own = pick((name) => !SETTINGS.includes(name) && !name.startsWith(start));
  const named = Object.entries(pick((name) => name.startsWith(start)));
  const adapted = Object.fromEntries(named.map(([name, value]) => [name.slice(start.length), value]));
  return {
    tuner: { name: tuner, options: own },
    ...(adapter !== undefined && { adapter: { name: adapter, options: adapted } }),
    settings: { chooseBy: "loss", ...settings },
  };
}
