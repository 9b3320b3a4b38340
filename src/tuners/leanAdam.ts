import type { Distribution, Move } from "../tensor/noise/key.ts";
import { rewrite } from "../tensor/parameter.ts";
import { eachTile, movesOf, moveTile, TILE } from "../tensor/tiles.ts";
import { type AdamSettings, adamSettings, descendByMoments, intoMoments } from "./adamRule.ts";
import { describe, type ZerothOptions, zerothOptions } from "./options.ts";
import { historyFor, pastLaw, pastOf } from "./past.ts";
import { scheduled } from "./schedule.ts";
import { estimate, meanLoss } from "./spsa.ts";
import type { Training, Tuner } from "./tuner.ts";

/** Settings of MeZO-Adam without state. */
export interface LeanAdamOptions extends Omit<ZerothOptions, "weightDecay">, AdamSettings {
  /**
   * Steps that count: the averages are those of the last `history` steps, corrected as if there had been no others, and lack
   * beta1^history and beta2^history of the weight that all would have. Where it is left out a hundredth of the second one's.
   */
  readonly history?: number;
}

const LEFT_OUT = 0.01;

/**
 * MeZO-Adam in the memory of MeZO, as the paper proposes: both moments are made anew for each tile of a weight from
 * the seeds and scalars of the last steps. With all steps in its history it is `mezoAdam` to the bit. A step makes z `history` times:
 * 4,603 at beta2 = 0.999, so that it suits adapters and short runs. It has no weight decay, which would need the weights of the past.
 */
export function leanAdam(options: LeanAdamOptions): Tuner {
  const name = "MeZO-lean-Adam";
  const { beta1, beta2, epsilon } = adamSettings(name, options);
  const { history = historyFor(beta2, LEFT_OUT) } = options;
  const settings = zerothOptions(name, options, ["beta1", "beta2", "epsilon", "history"]);
  const { lr: peak, eps, schedule, noise } = settings;
  const noDecay = [
    settings.weightDecay === 0,
    "has no weight decay, which would need the weights of past steps",
  ] as const;
  const law = pastLaw(name, noise, history, noDecay);
  const begin: Tuner["begin"] = (theta) => {
    const past = pastOf(history);
    const tiles = tilesOf(law, { beta1, beta2, epsilon });
    const step: Training["step"] = async (objective, { seed, step, total }) => {
      const z = { seed, step };
      const lr = peak * scheduled(schedule, step, total);
      const found = await estimate(theta, objective, { noise, eps, z });
      past.add({ z, projectedGrad: found.projectedGrad });
      const drawn = past.steps.map(({ z, projectedGrad }) => ({ z, scale: projectedGrad, keep: 1 }));
      for (const weight of theta) {
        const moves = movesOf(weight.name, drawn);
        await rewrite(weight, (values) => eachTile(values, (tile, from) => tiles(tile, from, moves, lr)));
      }
      return { lr, loss: meanLoss(found), ...found };
    };
    return { step, dispose: () => {} };
  };
  const { weightDecay: _, ...described } = describe(settings);
  return { name, options: { ...described, beta1, beta2, epsilon, history }, begin };
}

/** What moves a tile of a weight: its moments are made of the past steps' gradients, one after the other. */
function tilesOf(
  law: Distribution,
  settings: Required<AdamSettings>,
): (tile: Float32Array, from: number, past: readonly Move[], lr: number) => void {
  const [g, m, v] = [new Float32Array(TILE), new Float32Array(TILE), new Float32Array(TILE)];
  return (tile, from, past, lr) => {
    const own = [g, m, v].map((all) => all.subarray(0, tile.length).fill(0)) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    for (const move of past) {
      moveTile(own[0].fill(0), from, [move], law);
      intoMoments(tile, own[0], { m: own[1], v: own[2] }, { ...settings, scale: 1, l2: 0 });
    }
    descendByMoments(tile, { m: own[1], v: own[2], steps: past.length }, { ...settings, lr, keep: 1 });
  };
}
