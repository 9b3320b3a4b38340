import type { Draw, Parameter, Perturb } from "../tensor/parameter.ts";
import { lineAlong } from "./line.ts";
import { estimate } from "./mezo.ts";
import type { Objective } from "./tuner.ts";

/** Weights that belong together: the embeddings, one transformer layer, or the rest. */
export interface LayerGroup {
  readonly name: string;
  readonly parameters: readonly Parameter[];
}

/** The weights by layer, in the order of their first ones: "embedding", "layer 0", …, and "rest" (final norms, heads). */
export function layerGroups(theta: readonly Parameter[]): LayerGroup[] {
  const groups = new Map<string, Parameter[]>();
  for (const weight of theta) {
    const name = groupOf(weight.name);
    groups.set(name, [...(groups.get(name) ?? []), weight]);
  }
  return [...groups].map(([name, parameters]) => ({ name, parameters }));
}

function groupOf(weight: string): string {
  const layer = /(?:^|\.)layers?\.(\d+)\./.exec(weight);
  if (layer) return `layer ${layer[1]}`;
  return weight.includes("embed") ? "embedding" : "rest";
}

/**
 * How large each group's gradient is, without backpropagation (as Tables 8 to 10 need it): |L(theta + eps z) − L(theta − eps z)| / (2 eps),
 * with z zero outside the group. Two forward passes a group; theta ends where it was, up to rounding.
 */
export async function layerGradientNorms(
  groups: readonly LayerGroup[],
  objective: Objective,
  { noise, eps, z }: { readonly noise: Perturb; readonly eps: number; readonly z: Draw },
): Promise<number[]> {
  const norms: number[] = [];
  for (const { parameters } of groups) {
    const { projectedGrad } = await estimate(lineAlong(parameters, objective, noise, z), eps);
    norms.push(Math.abs(projectedGrad));
  }
  return norms;
}
