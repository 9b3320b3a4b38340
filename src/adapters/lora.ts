import * as tf from "@tensorflow/tfjs";
import seedrandom from "seedrandom";
import { checkOptions, KitError } from "../error.ts";
import { multiply } from "../kernels/elementwise.ts";
import { linear } from "../kernels/linear.ts";
import type { Correction } from "../nn/network.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { AdaptableNetwork, Adapted, Adapter, LoraPart, LoraParts } from "./adapter.ts";
import { chosen, linearMaps, queriesAndValues, type Target } from "./loraTargets.ts";
import { checkCount } from "./options.ts";

/** Settings of LoRA; the paper's are the defaults (Appendix E.5). */
export interface LoraOptions {
  /** Rows of A, columns of B. */
  readonly rank?: number;
  /** The correction is multiplied by alpha / rank. */
  readonly alpha?: number;
  /**
   * The linear maps that are adapted, by the ends of their names, such as ["q_proj", "v_proj", "fc1"] or "q_proj,v_proj,fc1"; "all-linear"
   * is all but the output matrix. The query and value projections of every layer where left out.
   */
  readonly modules?: string | readonly string[];
}

/**
 * LoRA (Hu et al. 2021; Appendix E.5): the query and value projections of every layer, or the linear maps that are named, give
 * W x + (alpha / rank) B A x, where A [rank, in] is drawn uniformly from ±1/√in and B [out, rank] is 0, so that the adapted network starts
 * as the network itself. At the start only B has a gradient, yet MeZO perturbs both, as in the authors' code. The paper's equation 6 names
 * A and B the other way round. Throws a KitError for an option that it does not have, and for one that makes no sense.
 */
export function lora(options: LoraOptions = {}): Adapter {
  const { rank = 8, alpha = 16, modules, ...unknown } = options;
  checkOptions("LoRA", unknown, ["rank", "alpha", "modules"]);
  checkCount("LoRA", "rank", rank);
  if (!(alpha > 0 && Number.isFinite(alpha))) throw new KitError(`LoRA needs an alpha above 0, not ${alpha}.`);
  const names = modules === undefined ? undefined : [modules].flat().flatMap((name) => name.split(/\s*,\s*/));
  return {
    name: "LoRA",
    options: { rank, alpha, ...(names && { modules: names.join(",") }) },
    begin: (network, { seed }) => {
      const targets = names ? targetsOf(network, names) : queriesAndValues(network);
      return loraWith({
        rankStabilized: false,
        parts: new Map(targets.map((target) => [target.name, { ...drawn(target, rank, seed), alpha }])),
      });
    },
  };
}

/** The linear maps of those names. Throws a KitError, which lists what there is, where a name is none's. */
function targetsOf(network: AdaptableNetwork, names: readonly string[]): Target[] {
  const maps = linearMaps(network);
  if (names.join() === "all-linear") return maps;
  const absent = names.filter((name) => chosen(maps, { modules: [name] }).length === 0);
  if (absent.length === 0) return chosen(maps, { modules: names });
  const ends = new Set(maps.map(({ name }) => name.slice(name.lastIndexOf(".") + 1)));
  throw new KitError(
    `LoRA was to adapt ${absent.join(" and ")}, but the model has no linear map of that name: choose among ${[...ends].join(", ")}, or all-linear.`,
  );
}

function drawn({ name, out, from }: Target, rank: number, seed: number): Omit<LoraPart, "alpha"> {
  return {
    a: tf.tensor2d(kaimingUniform(`${seed} ${name}`, rank * from, from), [rank, from]),
    b: tf.zeros([out, rank]),
  };
}

/** Names of a projection's weights, as Python's PEFT has them. */
export function loraNames(projection: string): { readonly a: string; readonly b: string } {
  const base = `base_model.model.${projection}`;
  return { a: `${base}.lora_A.weight`, b: `${base}.lora_B.weight` };
}

/** LoRA made of the given parts, whose tensors become its weights. */
export function loraWith(lora: LoraParts): Adapted {
  const correction = (projection: string): Correction | undefined => {
    const part = lora.parts.get(projection);
    return part && ((x) => tf.tidy(() => linear(multiply(linear(x, part.a), scaleOf(part, lora)), part.b)));
  };
  const parameters = [...lora.parts].flatMap(([name, { a, b }]): Parameter[] => {
    const names = loraNames(name);
    return [
      { name: names.a, value: a },
      { name: names.b, value: b },
    ];
  });
  const dispose = (): void => tf.dispose(parameters.map(({ value }) => value));
  return { parameters, adaptation: { correction }, lora, dispose };
}

function scaleOf({ a, alpha }: LoraPart, { rankStabilized }: LoraParts): number {
  const rank = a.shape[0]!;
  return alpha / (rankStabilized ? Math.sqrt(rank) : rank);
}

/** PyTorch's kaiming_uniform_ with a = √5: uniform between ±1/√from. */
function kaimingUniform(seed: string, size: number, from: number): Float32Array {
  const random = seedrandom.alea(seed);
  return Float32Array.from({ length: size }, () => (2 * random() - 1) / Math.sqrt(from));
}
