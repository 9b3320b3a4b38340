import { KitError } from "../error.ts";
import { byFactors, lowRank, normals, rightDraw } from "../tensor/factors.ts";
import type { Factors } from "../tensor/noise/key.ts";
import type { Draw, Parameter, Perturb } from "../tensor/parameter.ts";
import { defineTuner } from "./define.ts";
import { lineAlong } from "./line.ts";
import { estimate, summarizeEstimate } from "./mezo.ts";
import type { Resident, Tuner } from "./tuner.ts";
import {
  decayRate,
  describeZeroth,
  refuseUnknown,
  refuseUnless,
  wholeFromOne,
  type Zeroth,
  type ZerothOptions,
  zerothOptions,
  zerothOrder,
} from "./zeroth.ts";

/** Settings of LOZO. */
export interface LozoOptions extends Omit<ZerothOptions, "noise" | "share"> {
  /** r, the rank of the matrices' z: 2 where it is left out. */
  readonly rank?: number;
  /** ν, the steps for which V stays the same: 50 where it is left out. */
  readonly interval?: number;
}

/** The options, none left out. */
interface Lozo extends Zeroth {
  readonly rank: number;
  readonly interval: number;
}

function lozoOptions(tuner: string, options: LozoOptions, own: readonly string[] = []): Lozo {
  const { rank = 2, interval = 50, ...rest } = options;
  refuseUnknown(tuner, options, ["lr", "eps", "schedule", "weightDecay", "rank", "interval", ...own]);
  refuseUnless(tuner, [wholeFromOne("rank", rank), wholeFromOne("interval", interval)]);
  const settings = zerothOptions(tuner, { ...rest, noise: lowRank({ rank, interval }) }, own);
  return { ...settings, rank, interval };
}

function describe({ rank, interval, ...settings }: Lozo): Readonly<Record<string, string | number>> {
  const { noise: _, ...numbers } = describeZeroth(settings);
  return { ...numbers, rank, interval };
}

/**
 * LOZO (Chen et al. 2024, Algorithm 1): MeZO whose z of a matrix is U Vᵀ, of low rank; theta moves by −lr g U Vᵀ / rank. The z of biases and
 * norms is MeZO's. Both sides of a linear map are one product with its weight and a thin one each. Throws a KitError for weights in 16 bits.
 */
export const lozo: (options: LozoOptions) => Tuner = defineTuner(
  "LOZO",
  (options) => {
    const settings = lozoOptions("LOZO", options);
    const begin = descend(settings, () => ({ direction: lowRank(settings, 1 / settings.rank) }));
    return { options: describe(settings), begin };
  },
  { byEstimate: true },
);

/** What LOZO-M takes beside. */
export interface LozoMomentumOptions extends LozoOptions {
  readonly beta?: number;
}

const MOMENTUM = "LOZO-momentum";

/**
 * LOZO-M (Algorithm 2): N = beta N + (1 − beta) g U, and theta moves by −lr N Vᵀ / rank. When V changes, N is what comes nearest to the
 * old N Vᵀ with the new V, whose VᵀV is taken for n times the identity. Biases and norms have a momentum of their own size.
 */
export const lozoMomentum: (options: LozoMomentumOptions) => Tuner = defineTuner(
  MOMENTUM,
  (options) => {
    const settings = lozoOptions(MOMENTUM, options, ["beta"]);
    const { beta = 0.9 } = options;
    refuseUnless(MOMENTUM, [decayRate("beta", beta)]);
    const begin = descend(settings, (theta) => keepMomentum(theta, { ...settings, beta }));
    const resident = (theta: readonly Parameter[]): Resident => ({
      ...{ gradients: 0, optimizer: countMomentum(theta, settings.rank) / sum(theta.map(({ value }) => value.size)) },
    });
    return { options: { ...describe(settings), beta }, begin, resident };
  },
  { byEstimate: true },
);

/** Where theta goes after an estimate, in multiples of `scale`. */
interface Descent {
  readonly direction: Perturb;
  /** Takes in the estimate along the step's z; gives by what to multiply the direction. The estimate itself where it is left out. */
  readonly take?: (projectedGrad: number, z: Draw) => number;
}

/** Steps that estimate along the settings' noise and descend along another direction. */
function descend(settings: Lozo, start: (theta: readonly Parameter[]) => Descent): Tuner["begin"] {
  const { eps, weightDecay } = settings;
  return (theta, inFewPasses = (direct) => direct) => {
    refuseHalves(theta);
    const { direction, take = (projectedGrad) => projectedGrad } = start(theta);
    const swept = inFewPasses(direction);
    const begin = zerothOrder(settings, (weights, along) => async ({ objective, z, lr }) => {
      const found = await estimate(along(weights, objective, z), eps);
      const descent = lineAlong(weights, objective, swept, z);
      descent.perturb(-lr * take(found.projectedGrad, z));
      descent.settle(lr * weightDecay);
      return summarizeEstimate(found);
    });
    return begin(theta, inFewPasses);
  };
}

function refuseHalves(theta: readonly Parameter[]): void {
  const half = theta.find(({ bytes }) => bytes === 2);
  if (half)
    throw new KitError(
      `LOZO was to move weights that are kept in 16 bits (${half.name}), whose moves along a z of low rank it cannot round the same on every backend: load the model with weights in float32.`,
    );
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
const isMatrix = ({ value }: Parameter): boolean => value.shape.length === 2;
const countMomentum = (theta: readonly Parameter[], rank: number): number =>
  sum(theta.map((weight) => (isMatrix(weight) ? rank * weight.value.shape[0]! : weight.value.size)));

/** The momentum of every weight: N [rank, rows] of a matrix, and of any other as many numbers as it has. */
function keepMomentum(theta: readonly Parameter[], settings: Lozo & { readonly beta: number }): Descent {
  const { rank, interval, beta } = settings;
  const [matrices, others] = [theta.filter(isMatrix), theta.filter((weight) => !isMatrix(weight))];
  const moments = new Map([...matrices, ...others].map((weight) => [weight.name, zeros(weight, rank)]));
  const rightsAt = (z: Draw): Float32Array[] => normals(matrices, 1, rank, rightDraw(z, interval));
  const add = (weights: readonly Parameter[], zs: readonly Float32Array[], grad: number): void =>
    weights.forEach(({ name }, i) => {
      blend(moments.get(name)!, zs[i]!, beta, (1 - beta) * grad);
    });
  const take = (projectedGrad: number, z: Draw): number => {
    if (z.step > 0 && z.step % interval === 0) {
      const [old, rights] = [rightsAt({ ...z, step: z.step - 1 }), rightsAt(z)];
      matrices.forEach(({ name }, i) => {
        turn(moments.get(name)!, old[i]!, rights[i]!, rank);
      });
    }
    add(matrices, normals(matrices, 0, rank, z), projectedGrad);
    add(others, normals(others, 1, 1, z), projectedGrad);
    return 1;
  };
  const direction = byFactors((weights, z) => {
    const moved = weights.filter(isMatrix);
    const rights = normals(moved, 1, rank, rightDraw(z, interval));
    const ofMatrices = moved.map(({ name }, i): [string, Factors] => {
      const left = moments.get(name)!.map((n) => n / rank);
      return [name, { left, right: rights[i]!, rank }];
    });
    const ofOthers = weights
      .filter((weight) => !isMatrix(weight))
      .map(({ name }): [string, Factors] => {
        return [name, { left: Float32Array.of(1), right: moments.get(name)!.slice(), rank: 1 }];
      });
    return new Map([...ofMatrices, ...ofOthers]);
  });
  return { direction, take };
}

const zeros = (weight: Parameter, rank: number): Float32Array => new Float32Array(countMomentum([weight], rank));

/** m = beta m + share z. */
function blend(m: Float32Array, z: Float32Array, beta: number, share: number): void {
  for (let i = 0; i < m.length; i++) m[i] = beta * m[i]! + share * z[i]!;
}

/** N becomes N oldᵀ new / n, with old and new V as [rank, n]. */
function turn(moment: Float32Array, old: Float32Array, now: Float32Array, rank: number): void {
  const [rows, n] = [moment.length / rank, old.length / rank];
  const before = moment.slice();
  const turned = new Float64Array(moment.length);
  for (let k = 0; k < rank; k++)
    for (let j = 0; j < rank; j++) {
      let share = 0;
      for (let i = 0; i < n; i++) share += old[j * n + i]! * now[k * n + i]!;
      for (let row = 0; row < rows; row++) turned[k * rows + row]! += (share / n) * before[j * rows + row]!;
    }
  moment.set(turned);
}
