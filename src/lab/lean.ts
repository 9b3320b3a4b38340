import { type Distribution, type Move, wholeStretch } from "../tensor/noise/key.ts";
import { moveMany } from "../tensor/noise/sweep.ts";
import { type Draw, keyOf, type Parameter, type Perturb, rewrite } from "../tensor/parameter.ts";
import { type AdamSettings, adamSettings, descendByMoments, intoMoments } from "../tuners/adam.ts";
import { defineTuner } from "../tuners/define.ts";
import { decays } from "../tuners/line.ts";
import { type Estimate, estimate, summarizeEstimate } from "../tuners/mezo.ts";
import { subtract } from "../tuners/rules.ts";
import type { Tuner } from "../tuners/tuner.ts";
import {
  type Condition,
  decayRate,
  describeZeroth,
  refuseUnless,
  wholeFromOne,
  type Zeroth,
  type ZerothOptions,
  zerothOptions,
  zerothOrder,
} from "../tuners/zeroth.ts";

/** Elements of a weight that are computed at once: with a few arrays of that size, all in the second-level cache. A multiple of 2048. */
const TILE_ELEMENTS = 16_384;

/** A step that was taken: its z, and the estimate along it. */
interface PastStep {
  readonly z: Draw;
  readonly projectedGrad: number;
}

/** Descends one weight by moments that are computed again from the past steps. */
type Descend = (weight: Parameter, past: readonly PastStep[], lr: number) => Promise<void>;

/** Steps of MeZO whose moments are those of the last `history` steps, computed again from seeds and estimates. */
function fromThePast(settings: Zeroth, history: number, makeDescend: () => Descend): Tuner["begin"] {
  const start = zerothOrder(settings, (theta, along) => {
    const past: PastStep[] = [];
    const descend = makeDescend();
    return async ({ objective, z, lr }) => {
      const found: Estimate = await estimate(along(theta, objective, z), settings.eps);
      past.push({ z, projectedGrad: found.projectedGrad });
      if (past.length > history) past.shift();
      for (const weight of theta) await descend(weight, past, lr);
      return summarizeEstimate(found);
    };
  });
  return (theta) => start(theta); // the weights are read between the sweeps
}

/** How many steps hold all but `share` of the weight of an average that forgets by `beta` a step: the least H with beta^H ≤ share. */
export function historyFor(beta: number, share: number): number {
  return beta === 0 ? 1 : Math.ceil(Math.log(share) / Math.log(beta));
}

/** The law of z, without which it cannot be generated for a part of a weight. Throws a KitError for settings that make no sense. */
function requireLaw(tuner: string, noise: Perturb, history: number, ...conditions: readonly Condition[]): Distribution {
  refuseUnless(tuner, [
    [typeof noise.law === "string", "generates z for parts of weights, and needs gaussian or rademacher noise for it"],
    wholeFromOne("history", history),
    ...conditions,
  ]);
  return noise.law as Distribution;
}

/** One weight's moves along the z of past steps: values · keep + scale · z each. */
function movesAlong(weight: Parameter, past: readonly PastStep[], keep: number): Move[] {
  return past.map(({ z, projectedGrad }) => ({ key: keyOf(z, weight.name), scale: projectedGrad, keep }));
}

/** Takes values through moves, as if they were a weight's elements from the `from`-th on, a multiple of 2048. */
function moveTile(values: Float32Array, from: number, moves: readonly Move[], law: Distribution): void {
  moveMany([wholeStretch(values, moves, law, from)]);
}

/** Calls `work` for each tile of a weight's values with where it begins. */
function eachTile(values: Float32Array, work: (tile: Float32Array, from: number) => void): void {
  for (let from = 0; from < values.length; from += TILE_ELEMENTS)
    work(values.subarray(from, from + TILE_ELEMENTS), from);
}

/** Settings of MeZO-momentum without state. */
export interface LeanMomentumOptions extends ZerothOptions {
  readonly beta?: number;
  /**
   * Steps that count. The moment lacks what is older: beta^history of the weight of all, so that no element of it is off by more than
   * beta^history / (1 − beta) times the largest |g z|. By default a millionth is left out, below what float32 tells apart in the moment.
   */
  readonly history?: number;
}

const LEAN_MOMENTUM = "MeZO-lean-momentum";

/**
 * MeZO-momentum in the memory of MeZO, as the paper proposes: the moment m = Σ beta^k g z of the last steps is computed
 * again for each tile of a weight from their seeds and estimates. With all steps in its history it is `mezoMomentum` to the bit. A step
 * generates z `history` times.
 */
export const leanMomentum: (options: LeanMomentumOptions) => Tuner = defineTuner(
  LEAN_MOMENTUM,
  (options) => {
    const settings = zerothOptions(LEAN_MOMENTUM, options, ["beta", "history"]);
    const { beta = 0.9, history = historyFor(beta, 1e-6) } = options;
    const law = requireLaw(LEAN_MOMENTUM, settings.noise, history, decayRate("beta", beta));
    const makeDescend = (): Descend => (weight, past, lr) => {
      const keep = 1 - (decays(weight.name) ? lr * settings.weightDecay : 0);
      const moves = movesAlong(weight, past, beta);
      const moment = new Float32Array(TILE_ELEMENTS);
      return rewrite(weight, (values) =>
        eachTile(values, (tile, from) => {
          const m = moment.subarray(0, tile.length).fill(0);
          moveTile(m, from, moves, law);
          subtract(tile, m, keep, lr);
        }),
      );
    };
    const begin = fromThePast(settings, history, makeDescend);
    return { options: { ...describeZeroth(settings), beta, history }, begin };
  },
  { byEstimate: true },
);

/** Settings of MeZO-Adam without state. */
export interface LeanAdamOptions extends Omit<ZerothOptions, "weightDecay">, AdamSettings {
  /**
   * Steps that count: the averages are those of the last `history` steps, corrected as if there had been no others, and lack
   * beta1^history and beta2^history of the weight that all would have. By default a hundredth of the second one's is left out.
   */
  readonly history?: number;
}

const LEAN_ADAM = "MeZO-lean-Adam";

/**
 * MeZO-Adam in the memory of MeZO, as the paper proposes: both moments are computed again for each tile of a weight from
 * the seeds and estimates of the last steps. With all steps in its history it is `mezoAdam` to the bit. A step generates z `history` times:
 * 4,603 at beta2 = 0.999, so that it suits adapters and short runs. It has no weight decay, which would need the weights of the past.
 */
export const leanAdam: (options: LeanAdamOptions) => Tuner = defineTuner(
  LEAN_ADAM,
  (options) => {
    const adam = adamSettings(LEAN_ADAM, options);
    const { history = historyFor(adam.beta2, 0.01) } = options;
    const settings = zerothOptions(LEAN_ADAM, options, ["beta1", "beta2", "epsilon", "history"]);
    const { weightDecay, ...described } = describeZeroth(settings);
    const noDecay = [weightDecay === 0, "has no weight decay, which would need the weights of past steps"] as const;
    const law = requireLaw(LEAN_ADAM, settings.noise, history, noDecay);
    const makeDescend = (): Descend => {
      const move = adamTile(law, adam);
      return (weight, past, lr) => {
        const moves = movesAlong(weight, past, 1);
        return rewrite(weight, (values) => eachTile(values, (tile, from) => move(tile, from, moves, lr)));
      };
    };
    const begin = fromThePast(settings, history, makeDescend);
    return { options: { ...described, ...adam, history }, begin };
  },
  { byEstimate: true },
);

/** What moves a tile of a weight: its moments are made of the past steps' gradients, one after the other. */
function adamTile(
  law: Distribution,
  settings: Required<AdamSettings>,
): (tile: Float32Array, from: number, past: readonly Move[], lr: number) => void {
  const temporary = (): Float32Array => new Float32Array(TILE_ELEMENTS);
  const [gradients, ms, vs] = [temporary(), temporary(), temporary()];
  return (tile, from, past, lr) => {
    const cut = (all: Float32Array): Float32Array => all.subarray(0, tile.length).fill(0);
    const [g, m, v] = [cut(gradients), cut(ms), cut(vs)];
    for (const move of past) {
      moveTile(g.fill(0), from, [move], law);
      intoMoments(tile, g, { m, v }, { ...settings, scale: 1, l2: 0 });
    }
    descendByMoments(tile, { m, v, steps: past.length }, { ...settings, lr, keep: 1 });
  };
}
