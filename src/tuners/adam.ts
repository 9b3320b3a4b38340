import { update } from "../tensor/parameter.ts";
import { processorLevel } from "../tensor/x86/library.ts";
import { adamPass } from "../tensor/x86/weights.ts";
import { defineTuner } from "./define.ts";
import { type FineTuningOptions, fineTuning, fineTuningConditions, fineTuningKeys, type Rule } from "./fineTuning.ts";
import { decays } from "./line.ts";
import { byRule } from "./rules.ts";
import type { Tuner } from "./tuner.ts";
import {
  decayRate,
  describeZeroth,
  refuseRate,
  refuseUnknown,
  refuseUnless,
  type ZerothOptions,
  zerothOptions,
} from "./zeroth.ts";

/** Adam's own settings (Kingma and Ba 2015), with PyTorch's defaults. */
export interface AdamSettings {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
}

/** The settings with the defaults where they were left out. Throws a KitError for one out of range. */
export function adamSettings(tuner: string, options: AdamSettings): Required<AdamSettings> {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options;
  refuseUnless(tuner, [
    decayRate("beta1", beta1),
    decayRate("beta2", beta2),
    [epsilon > 0 && Number.isFinite(epsilon), `needs an epsilon above 0, not ${epsilon}`],
  ]);
  return { beta1, beta2, epsilon };
}

/** What is added to the gradient, and what is taken from the weight, as shares of the weight of that name. */
export interface AdamDecay {
  readonly toGradient: (name: string) => number;
  readonly fromWeight: (name: string) => number;
}

const NONE: AdamDecay = { toGradient: () => 0, fromWeight: () => 0 };

/** Adam with corrected moments; one pass over a weight, its two moments and its gradient. */
export function adamRule(settings: Required<AdamSettings>, decay: AdamDecay = NONE): Rule {
  return (theta) => {
    const states = theta.map(({ value }) => ({
      m: new Float32Array(value.size),
      v: new Float32Array(value.size),
      steps: 0,
    }));
    return {
      apply: (i, gradient, { lr, scale }) => {
        const [weight, state] = [theta[i]!, states[i]!];
        state.steps++;
        const l2 = decay.toGradient(weight.name);
        const keep = 1 - lr * decay.fromWeight(weight.name);
        return update(weight, gradient, (values, g) =>
          adamStep(values, g, state, { ...settings, lr, scale, l2, keep }),
        );
      },
    };
  };
}

interface AdamState {
  readonly m: Float32Array;
  readonly v: Float32Array;
  readonly steps: number;
}

type AdamStep = Required<AdamSettings> & Readonly<Record<"lr" | "scale" | "l2" | "keep", number>>;

function adamStep(theta: Float32Array, gradient: Float32Array, state: AdamState, step: AdamStep): void {
  if (processorLevel() !== "none") {
    adamPass({ theta, gradient, m: state.m, v: state.v }, { ...step, ...correct(state.steps, step) });
    return;
  }
  intoMoments(theta, gradient, state, step);
  descendByMoments(theta, state, step);
}

/** What corrects the averages for having begun at 0: the learning rate's share, and the root's divisor. */
function correct(steps: number, { beta1, beta2, lr }: Pick<AdamStep, "beta1" | "beta2" | "lr">): AdamCorrection {
  return { rate: lr / (1 - beta1 ** steps), root: Math.sqrt(1 - beta2 ** steps) };
}

type AdamCorrection = Readonly<Record<"rate" | "root", number>>;

/** Adds a gradient, which is scale · gradient + l2 · theta, to the averages of gradients and of their squares. */
export function intoMoments(
  theta: Float32Array,
  gradient: Float32Array,
  { m, v }: Pick<AdamState, "m" | "v">,
  { beta1, beta2, scale, l2 }: Pick<AdamStep, "beta1" | "beta2" | "scale" | "l2">,
): void {
  for (let i = 0; i < theta.length; i++) {
    const g = scale * gradient[i]! + l2 * theta[i]!;
    m[i] = beta1 * m[i]! + (1 - beta1) * g;
    v[i] = beta2 * v[i]! + (1 - beta2) * g * g;
  }
}

/** theta = keep · theta − lr times the corrected average over the root of the corrected average of squares. */
export function descendByMoments(
  theta: Float32Array,
  { m, v, steps }: AdamState,
  { epsilon, keep, ...step }: Omit<AdamStep, "scale" | "l2">,
): void {
  const { rate, root } = correct(steps, step);
  for (let i = 0; i < theta.length; i++)
    theta[i] = keep * theta[i]! - (rate * m[i]!) / (Math.sqrt(v[i]!) / root + epsilon);
}

/** Settings of FT with Adam or AdamW. */
export type AdamOptions = FineTuningOptions & AdamSettings;

/** FT with Adam (Kingma and Ba 2015); weight decay is added to the gradient. Without it, the paper's setting, the same as `adamw`. */
export function adam(options: AdamOptions): Tuner {
  return adamTuner("adam", options, (share) => ({ toGradient: share, fromWeight: () => 0 }));
}

/** FT with AdamW (Loshchilov and Hutter 2019); weight decay acts on the weights alone. The optimizer of the authors' Trainer. */
export function adamw(options: AdamOptions): Tuner {
  return adamTuner("adamw", options, (share) => ({ toGradient: () => 0, fromWeight: share }));
}

function adamTuner(
  optimizer: string,
  options: AdamOptions,
  decayOf: (share: (name: string) => number) => NonNullable<Parameters<typeof adamRule>[1]>,
): Tuner {
  const { lr, schedule = "linear", weightDecay = 0, clipNorm = 1 } = options;
  refuseUnknown(optimizer, options, [...fineTuningKeys, "beta1", "beta2", "epsilon"]);
  refuseRate(optimizer, lr, schedule);
  refuseUnless(optimizer, fineTuningConditions({ lr, schedule, weightDecay, clipNorm }));
  const settings = adamSettings(optimizer, options);
  const rule = adamRule(
    settings,
    decayOf((name) => (decays(name.toLowerCase()) ? weightDecay : 0)),
  );
  return {
    name: "FT",
    options: { optimizer, lr, schedule, weightDecay, clipNorm, ...settings },
    begin: fineTuning(rule, { lr, schedule, clipNorm }),
    resident: { gradients: 1, optimizer: 2 },
  };
}

/** Settings of MeZO-Adam; the paper's grid is in Table 15. */
export type MezoAdamOptions = ZerothOptions & AdamSettings;

const MEZO_ADAM = "MeZO-Adam";

/**
 * MeZO-Adam (Table 18): Adam along MeZO's estimate. Its moments take twice the memory of theta. `leanAdam` computes them
 * again at each step instead. Weight decay is added to the gradient, as in Adam.
 */
export const mezoAdam: (options: MezoAdamOptions) => Tuner = defineTuner(
  MEZO_ADAM,
  (options) => {
    const settings = zerothOptions(MEZO_ADAM, options, ["beta1", "beta2", "epsilon"]);
    const adam = adamSettings(MEZO_ADAM, options);
    const toGradient = (weight: string): number => (decays(weight) ? settings.weightDecay : 0);
    const rule = adamRule(adam, { toGradient, fromWeight: () => 0 });
    const resident = { gradients: 0, optimizer: 2 };
    return { options: { ...describeZeroth(settings), ...adam }, begin: byRule(rule, settings), resident };
  },
  { byEstimate: true },
);
