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

/** Tuners whose step is the difference of two losses over 2 eps: its one estimate is all that need be known of it. */
export const BY_ESTIMATE: readonly string[] = [
  "MeZO",
  "MeZO-momentum",
  "MeZO-Adam",
  "MeZO-lean-momentum",
  "MeZO-lean-Adam",
  "MeZO-sign",
];

/** Whether the losses of a run's steps follow from one estimate each. */
export function isByEstimate({ tuner }: RunHeader): boolean {
  return tuner !== undefined && BY_ESTIMATE.includes(tuner.name);
}

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
  return tuner !== undefined && Object.hasOwn(TUNERS, tuner.name);
}

/** The tuner of a run, from its header. Throws a KitError for one whose steps a run file does not tell, such as FT's. */
export function tunerOf(header: RunHeader): Tuner {
  const { tuner } = header;
  if (!tuner || !isRetraceable(header))
    throw new KitError(
      `The steps of ${tuner?.name ?? "no tuner"} were to be made again, but they need gradients or values that no run file holds: only those of ${Object.keys(TUNERS).join(", ")} can be.`,
    );
  const { noise, ...numbers } = tuner.options;
  if (noise !== "gaussian" && noise !== "rademacher")
    throw new KitError(
      `The run's z was to be made again, but its noise is "${noise}", which the kit does not know: it knows ${Object.keys(LAWS).join(" and ")}.`,
    );
  return TUNERS[tuner.name]!({ ...numbers, noise: LAWS[noise] } as never);
}

/** The adapter of a run, from its header, where it has one. Throws a KitError for one that the kit does not know. */
export function adapterOf({ adapter }: RunHeader): Adapter | undefined {
  if (adapter === undefined) return undefined;
  const make = Object.hasOwn(ADAPTERS, adapter.name) ? ADAPTERS[adapter.name] : undefined;
  if (!make)
    throw new KitError(
      `The run's adapter was to be made again, but "${adapter.name}" is none that the kit knows: it knows ${Object.keys(ADAPTERS).join(", ")}.`,
    );
  return make(adapter.options as never);
}
