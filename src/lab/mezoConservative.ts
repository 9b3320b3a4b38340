import { defineTuner } from "../tuners/define.ts";
import type { Line } from "../tuners/line.ts";
import { estimate, finiteLoss, report } from "../tuners/mezo.ts";
import type { Tuner } from "../tuners/tuner.ts";
import { describeZeroth, refuseUnless, type ZerothOptions, zerothOptions, zerothOrder } from "../tuners/zeroth.ts";

/** Settings of conservative MeZO: those of MeZO without weight decay. */
export type MezoConservativeOptions = Omit<ZerothOptions, "weightDecay">;

const NAME = "MeZO-conservative";

/**
 * Conservative MeZO (ZO-SGD-Cons of Zhang et al. 2024): of theta, theta − lr g z and theta + lr g z, the one with the lowest loss on
 * the step's batch is kept. Five forward passes. `lr` of a step is the rate that was taken: 0 where theta stayed, negative where it went the other way.
 */
export const mezoConservative: (options: MezoConservativeOptions) => Tuner = defineTuner(NAME, (options) => {
  refuseUnless(NAME, [[!("weightDecay" in options), "has no option weightDecay, which no loss would judge"]]);
  const { weightDecay: _, ...settings } = zerothOptions(NAME, options);
  const begin = zerothOrder(settings, (theta, along) => async ({ objective, z, lr }) => {
    const found = await estimate(along(theta, objective, z), settings.eps);
    const line = along(theta, { value: () => objective.value() }, z); // each place has a loss of its own
    const loss = await finiteLoss(line);
    const way = await goBestWay(line, loss, lr * found.projectedGrad);
    return { ...report(found), lr: way * lr, loss };
  });
  return { options: describeZeroth(settings), begin };
});

/** Moves theta, where the loss is `here`, to the best of the three places: 1 is down the estimate, −1 up, 0 where it was. */
async function goBestWay(line: Line, here: number, length: number): Promise<1 | 0 | -1> {
  line.perturb(-length);
  const down = await line.loss();
  line.perturb(2 * length);
  const up = await line.loss();
  if (up < here && !(down <= up)) return -1;
  const way = down < here ? 1 : 0;
  line.perturb(way === 1 ? -2 * length : -length);
  line.settle();
  return way;
}
