import { storage } from "../tensor/backend.ts";
import { countIn } from "../tensor/mask.ts";
import { type Draw, type Parameter, type Perturb, zerosLike } from "../tensor/parameter.ts";
import { defineTuner } from "./define.ts";
import { lineAlong } from "./line.ts";
import { estimate, summarizeEstimate } from "./mezo.ts";
import type { Tuner } from "./tuner.ts";
import {
  atLeastZero,
  decayRate,
  describeZeroth,
  refuseUnless,
  type Zeroth,
  type ZerothOptions,
  zerothOptions,
  zerothOrder,
} from "./zeroth.ts";

/** Settings of ConMeZO. */
export interface ConMezoOptions extends ZerothOptions {
  /** Between the cone's axis and its sides, in radians: at π / 2 it is MeZO. The paper's 1.35 where it is left out. */
  readonly angle?: number;
  /** What the momentum keeps a step, 0.95 where it is left out. */
  readonly beta?: number;
  /** Steps until it keeps as much: 0.1 in the first tenth of them, and then more and more. The authors' 2000 where it is left out. */
  readonly warmUp?: number;
}

type Cone = Required<Pick<ConMezoOptions, "angle" | "beta" | "warmUp">>;

const NAME = "ConMeZO";
const FIRST_BETA = 0.1;

/**
 * ConMeZO (Behric et al. 2026, arXiv 2511.02757): MeZO along z = cos(angle) √d m / ‖m‖ + sin(angle) u, u being drawn as MeZO's z, and m the
 * momentum beta m + (1 − beta) g z. At the first step z = u. m takes the memory of theta; z is never formed, its two parts being added to theta one
 * after the other. Like the authors' code, ‖m‖ is what is expected of it, computed from the estimates alone: so no pass over m is needed.
 */
export const conMezo: (options: ConMezoOptions) => Tuner = defineTuner(
  NAME,
  (options) => {
    const settings = zerothOptions(NAME, options, ["angle", "beta", "warmUp"]);
    const { angle = 1.35, beta = 0.95, warmUp = 2000 } = options;
    const isAngle = angle > 0 && angle <= Math.PI / 2;
    refuseUnless(NAME, [
      [isAngle, `needs an angle above 0 and up to ${Math.PI / 2}, in radians, not ${angle}`],
      decayRate("beta", beta),
      atLeastZero("warmUp", warmUp),
      [typeof settings.noise.law === "string", "needs gaussian or rademacher noise, whose norm is known"],
    ]);
    const cone = { angle, beta, warmUp };
    const begin: Tuner["begin"] = (theta) => {
      const axis = zerosLike(theta);
      return {
        step: stepsInCone({ ...settings, ...cone }, axis)(theta).step,
        dispose: () => {
          for (const { value } of axis) value.dispose();
        },
      };
    };
    const resident = { gradients: 0, optimizer: 1 };
    return { options: { ...describeZeroth(settings), ...cone }, begin, resident };
  },
  { byEstimate: true },
);

function stepsInCone(settings: Zeroth & Cone, axis: readonly Parameter[]): Tuner["begin"] {
  const { eps, weightDecay, noise, angle } = settings;
  let squaredNorm = 0; // of m
  return zerothOrder(settings, (theta) => async ({ objective, z, lr, step }) => {
    const d = countElements(theta, z);
    const ofAxis = squaredNorm > 0 ? Math.cos(angle) * Math.sqrt(d / squaredNorm) : 0;
    const ofDraw = squaredNorm > 0 ? Math.sin(angle) : 1;
    const along = between({ noise, axis, ofDraw, ofAxis });
    const line = lineAlong(theta, objective, along, z, settings.tuner);
    const found = await estimate(line, eps, { lr, decay: lr * weightDecay });
    const beta = betaAt(settings, step);
    const share = (1 - beta) * found.projectedGrad;
    const kept = beta + share * ofAxis;
    noise(axis, share * ofDraw, z, kept);
    squaredNorm = kept ** 2 * squaredNorm + (share * ofDraw) ** 2 * d;
    return summarizeEstimate(found);
  });
}

/** Elements of the weights that z is for. */
function countElements(theta: readonly Parameter[], { masks }: Draw): number {
  return theta.reduce((sum, { name, value }) => sum + (masks ? countIn(masks.get(name)!) : value.size), 0);
}

/** What the momentum keeps at a step: the authors' schedule. */
export function betaAt({ beta, warmUp }: Pick<Cone, "beta" | "warmUp">, step: number): number {
  if (step >= warmUp) return beta;
  const progress = Math.max(0, (step - warmUp / 10) / (0.9 * warmUp));
  return beta - (beta - FIRST_BETA) / (1 + 8 * progress ** 1.8) ** 3;
}

/** What z is made of: multiples of the axis and of what is drawn. */
interface Parts {
  readonly noise: Perturb;
  readonly axis: readonly Parameter[];
  readonly ofDraw: number;
  readonly ofAxis: number;
}

/** The noise of z within the cone. */
function between({ noise, axis, ofDraw, ofAxis }: Parts): Perturb {
  const byName = new Map(axis.map(({ name, value }) => [name, value]));
  return (theta, scale, draw, keep) => {
    noise(theta, scale * ofDraw, draw, keep);
    if (ofAxis === 0) return;
    for (const { name, value } of theta) storage().addScaled(value, byName.get(name)!, scale * ofAxis);
  };
}
