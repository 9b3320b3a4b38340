import type { Adapter } from "../adapters/adapter.ts";
import { headTuning } from "../adapters/head.ts";
import { lora } from "../adapters/lora.ts";
import { prefix } from "../adapters/prefix.ts";
import { KitError } from "../error.ts";
import { gaussian, rademacher } from "../tensor/parameter.ts";
import { forwardGradient } from "../tuners/forwardGradient.ts";
import { leanAdam } from "../tuners/leanAdam.ts";
import { leanMomentum } from "../tuners/leanMomentum.ts";
import { mezo } from "../tuners/mezo.ts";
import { mezoAdam } from "../tuners/mezoAdam.ts";
import { mezoConservative } from "../tuners/mezoConservative.ts";
import { mezoLayers } from "../tuners/mezoLayers.ts";
import { mezoSign } from "../tuners/mezoSign.ts";
import { expectationModified, varianceModified } from "../tuners/modified.ts";
import { mezoMomentum } from "../tuners/momentum.ts";
import { nSpsa } from "../tuners/nSpsa.ts";
import { onePoint } from "../tuners/onePoint.ts";
import type { Tuner } from "../tuners/tuner.ts";
import type { RunHeader } from "./run.ts";

/** Settings of a run that are neither its tuner's nor its adapter's, by the names that its header has. */
export const RUN_SETTINGS: ReadonlySet<string> = new Set([
  ...["steps", "batchSize", "evaluateEvery", "chooseBy", "begin"],
  ...["microBatchSize", "maximize", "checkpointing"],
]);

type Options = Readonly<Record<string, unknown>>;

/** Every tuner whose steps follow from the losses alone, by the name that headers have; adding one adds a line. */
const TUNERS: Readonly<Record<string, (options: never) => Tuner>> = {
  MeZO: mezo,
  "MeZO-n-SPSA": nSpsa,
  "MeZO-one-point": onePoint,
  "MeZO-variance-modified": varianceModified,
  "MeZO-expectation-modified": expectationModified,
  "MeZO-momentum": mezoMomentum,
  "MeZO-Adam": mezoAdam,
  "MeZO-lean-momentum": leanMomentum,
  "MeZO-lean-Adam": leanAdam,
  "MeZO-layers": mezoLayers,
  "MeZO-sign": mezoSign,
  "MeZO-conservative": mezoConservative,
  "forward-gradient": forwardGradient,
};

/** Every adapter, by the name that headers have. */
const ADAPTERS: Readonly<Record<string, (options: never) => Adapter>> = { LoRA: lora, prefix, head: headTuning };

const LAWS = { gaussian, rademacher } as const;

/** Whether a run's steps can be made again from its file: not those of FT, which need gradients. */
export function isRetraceable({ tuner }: RunHeader): boolean {
  return Object.hasOwn(TUNERS, tuner);
}

/** The tuner of a run, from its header. Throws a KitError for one whose steps a run file does not tell, such as FT's. */
export function tunerOf(header: RunHeader): Tuner {
  const { tuner, adapter, options } = header;
  if (!isRetraceable(header))
    throw new KitError(
      `The steps of ${tuner} were to be made again, but they need gradients or values that no run file holds: only those of ${Object.keys(TUNERS).join(", ")} can be.`,
    );
  const own = Object.entries(options).filter(([name]) => !RUN_SETTINGS.has(name) && !name.startsWith(`${adapter}.`));
  const { noise, ...numbers } = Object.fromEntries(own);
  if (noise !== "gaussian" && noise !== "rademacher")
    throw new KitError(
      `The run's z was to be made again, but its noise is "${noise}", which the kit does not know: it knows ${Object.keys(LAWS).join(" and ")}.`,
    );
  return TUNERS[tuner]!({ ...numbers, noise: LAWS[noise] } as never);
}

/** The adapter of a run, from its header, where it has one. Throws a KitError for one that the kit does not know. */
export function adapterOf({ adapter, options }: RunHeader): Adapter | undefined {
  if (adapter === undefined) return undefined;
  const make = Object.hasOwn(ADAPTERS, adapter) ? ADAPTERS[adapter] : undefined;
  if (!make)
    throw new KitError(
      `The run's adapter was to be made again, but "${adapter}" is none that the kit knows: it knows ${Object.keys(ADAPTERS).join(", ")}.`,
    );
  return make(prefixed(options, `${adapter}.`) as never);
}

function prefixed(options: Options, start: string): Options {
  const own = Object.entries(options).filter(([name]) => name.startsWith(start));
  return Object.fromEntries(own.map(([name, value]) => [name.slice(start.length), value]));
}
