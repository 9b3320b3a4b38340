import type { Draw } from "../../tensor/perturb.ts";
import type { Objective } from "../../tuners/tuner.ts";
import { meanOf, type SlopeAt } from "./slopes.ts";

/** How the loss bends along z. */
export interface Curvature {
  /** The distance that it was measured at. */
  readonly eps: number;
  /** z'Hz, the second derivative of the loss along z, mean over z. As z has every direction in it, this is about the trace of H: the sharpest direction times how many count. */
  readonly mean: number;
  /** Over the z; 0 where there is one. */
  readonly standardError: number;
}

/** Measures it from the losses at theta and on both sides: (l+ − 2 l + l−) / eps². */
export async function curvatureOf(
  at: SlopeAt,
  objective: Objective,
  { loss, eps }: { readonly loss: number; readonly eps: number },
  draws: readonly Draw[],
): Promise<Curvature> {
  const found: number[] = [];
  for (const z of draws) {
    const { lossPlus, lossMinus } = await at(objective, eps, z);
    found.push((lossPlus - 2 * loss + lossMinus) / eps ** 2);
  }
  const mean = meanOf(found);
  const squares = found.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { eps, mean, standardError: Math.sqrt(squares / Math.max(1, found.length - 1) / found.length) };
}
