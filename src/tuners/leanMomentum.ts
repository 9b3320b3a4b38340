import { type Parameter, rewrite } from "../tensor/parameter.ts";
import { eachTile, movesOf, moveTile, TILE } from "../tensor/tiles.ts";
import { decays } from "./descend.ts";
import { subtract } from "./momentum.ts";
import { decayRate, describe, type ZerothOptions, zerothOptions } from "./options.ts";
import { historyFor, pastLaw, pastOf } from "./past.ts";
import { scheduled } from "./schedule.ts";
import { estimate, meanLoss } from "./spsa.ts";
import type { Training, Tuner } from "./tuner.ts";

/** Settings of MeZO-momentum without state. */
export interface LeanMomentumOptions extends ZerothOptions {
  readonly beta?: number;
  /**
   * Steps that count. The moment lacks what is older: beta^history of the weight of all, so that no element of it is off by more than
   * beta^history / (1 − beta) times the largest |g z| there was. Where it is left out a millionth is left out.
   */
  readonly history?: number;
}

/** A millionth of the moment is below what float32 tells apart in it. */
const LEFT_OUT = 1e-6;

/**
 * MeZO-momentum in the memory of MeZO, as the paper proposes: the moment m = Σ beta^k g z of the last steps is made
 * anew for each tile of a weight from their seeds and scalars. With all steps in its history it is `mezoMomentum` to the bit. A step
 * makes z `history` times.
 */
export function leanMomentum(options: LeanMomentumOptions): Tuner {
  const name = "MeZO-lean-momentum";
  const settings = zerothOptions(name, options, ["beta", "history"]);
  const { lr: peak, eps, schedule, weightDecay, noise } = settings;
  const { beta = 0.9, history = historyFor(beta, LEFT_OUT) } = options;
  const law = pastLaw(name, noise, history, decayRate("beta", beta));
  const begin: Tuner["begin"] = (theta) => {
    const past = pastOf(history);
    const step: Training["step"] = async (objective, { seed, step, total }) => {
      const z = { seed, step };
      const lr = peak * scheduled(schedule, step, total);
      const found = await estimate(theta, objective, { noise, eps, z });
      past.add({ z, projectedGrad: found.projectedGrad });
      for (const weight of theta) await descended(weight, lr);
      return { lr, loss: meanLoss(found), ...found };
    };
    const descended = (weight: Parameter, lr: number): Promise<void> => {
      const keep = 1 - (decays(weight.name) ? lr * weightDecay : 0);
      const drawn = past.steps.map(({ z, projectedGrad }) => ({ z, scale: projectedGrad, keep: beta }));
      const moves = movesOf(weight.name, drawn);
      const moment = new Float32Array(TILE);
      return rewrite(weight, (values) =>
        eachTile(values, (tile, from) => {
          const m = moment.subarray(0, tile.length).fill(0);
          moveTile(m, from, moves, law);
          subtract(tile, m, keep, lr);
        }),
      );
    };
    return { step, dispose: () => {} };
  };
  return { name, options: { ...describe(settings), beta, history }, begin };
}
