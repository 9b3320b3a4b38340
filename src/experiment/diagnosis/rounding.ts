import type { Draw } from "../../tensor/perturb.ts";
import type { Objective } from "../../tuners/tuner.ts";
import { meanOf, type SlopeAt, sizeOf } from "./slopes.ts";

/** How much of g is float rounding. */
export interface RoundingError {
  /** Standard deviation of g under tiny changes of eps, along which g itself hardly changes but every rounding falls anew. */
  readonly deviation: number;
  /** That over g's size under the same z. */
  readonly share: number;
}

/** Factors of eps: eight, up to 5 % below and above. */
export const NUDGES: readonly number[] = Array.from({ length: 8 }, (_, i) => 1 + (i - 3.5) / 70);

/** Measures the rounding error of g at an eps, under each z. What g itself does over the nudges is taken as a straight line, and left out. */
export async function roundingErrorOf(
  at: SlopeAt,
  objective: Objective,
  eps: number,
  draws: readonly Draw[],
): Promise<RoundingError> {
  const all: number[][] = [];
  for (const z of draws) {
    const slopes: number[] = [];
    for (const nudge of NUDGES) slopes.push((await at(objective, eps * nudge, z)).slope);
    all.push(slopes);
  }
  const deviation = sizeOf(all.map((slopes) => aroundLine(NUDGES, slopes)));
  const size = sizeOf(all.flat());
  return { deviation, share: size > 0 ? deviation / size : Number.NaN };
}

/** Standard deviation of y around the line in x that fits it best. */
function aroundLine(x: readonly number[], y: readonly number[]): number {
  const [mx, my] = [meanOf(x), meanOf(y)];
  const xy = x.reduce((sum, value, i) => sum + (value - mx) * (y[i]! - my), 0);
  const xx = x.reduce((sum, value) => sum + (value - mx) ** 2, 0);
  const squares = x.reduce((sum, value, i) => sum + (y[i]! - my - (xy / xx) * (value - mx)) ** 2, 0);
  return Math.sqrt(squares / (x.length - 2));
}
