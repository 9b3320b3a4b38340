import { update } from "../tensor/parameter.ts";
import { decayRate, refuseUnless } from "./options.ts";
import type { Rule } from "./rule.ts";

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
  intoMoments(theta, gradient, state, step);
  descendByMoments(theta, state, step);
}

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
  { beta1, beta2, epsilon, lr, keep }: Omit<AdamStep, "scale" | "l2">,
): void {
  const rate = lr / (1 - beta1 ** steps);
  const root = Math.sqrt(1 - beta2 ** steps);
  for (let i = 0; i < theta.length; i++)
    theta[i] = keep * theta[i]! - (rate * m[i]!) / (Math.sqrt(v[i]!) / root + epsilon);
}
