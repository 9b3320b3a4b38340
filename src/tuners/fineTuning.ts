import { KitError, NotFinite } from "../error.ts";
import { norm, type Parameter } from "../tensor/parameter.ts";
import type { Gradient, Objective, Training, Tuner } from "./tuner.ts";
import { atLeastZero, type Condition, type Schedule, scheduled } from "./zeroth.ts";

/** How a gradient changes a weight: a description that makes the state it needs. */
export type Rule = (theta: readonly Parameter[]) => Updates;

/** A rule at work on fixed weights, with its state in the host's memory. */
export interface Updates {
  /** Changes weight `i` in place by its gradient, times `scale`, at a learning rate. */
  apply(i: number, gradient: Parameter["value"], at: UpdateAt): Promise<void>;
}

/** The learning rate, and what the gradient is to be multiplied by. */
export interface UpdateAt {
  readonly lr: number;
  readonly scale: number;
}

/** What fine-tuning by backpropagation takes whatever the rule; the paper's grids are in Tables 15 and 16. */
export interface FineTuningOptions {
  readonly lr: number;
  /** Falls linearly to 0 where it is left out, as the paper's FT does (Table 7). */
  readonly schedule?: Schedule;
  /** Biases and layer norms are left out. */
  readonly weightDecay?: number;
  /** A gradient whose norm over all weights is larger is scaled down to it; 0 never does. 1 where it is left out: the default of the Trainer that the authors used. */
  readonly clipNorm?: number;
}

/** The keys of FineTuningOptions. */
export const fineTuningKeys = ["lr", "schedule", "weightDecay", "clipNorm"] as const;

/** What must hold of weight decay and clipping. */
export function fineTuningConditions({ weightDecay, clipNorm }: Required<FineTuningOptions>): Condition[] {
  return [atLeastZero("weight decay", weightDecay), atLeastZero("clipNorm", clipNorm)];
}

/** FT: steps of a rule along the gradient that backpropagation gives. The moments are freed with the training. */
export function fineTuning(
  rule: Rule,
  { lr: peak, schedule, clipNorm }: Pick<Required<FineTuningOptions>, "lr" | "schedule" | "clipNorm">,
): Tuner["begin"] {
  return (theta) => {
    let updates: ReturnType<Rule> | undefined = rule(theta);
    const step: Training["step"] = async (objective, { step, total }) => {
      if (!updates) throw new KitError("A step was asked for after the training was disposed of; begin another.");
      const lr = peak * scheduled(schedule, step, total);
      const { loss, gradients } = await gradientOf(objective, theta);
      try {
        const size = await norm(gradients);
        refuseNotFinite(step, loss, size);
        const scale = clipNorm === 0 ? 1 : Math.min(1, clipNorm / (size + 1e-6)); // PyTorch's clip_grad_norm_
        for (const [i, gradient] of gradients.entries()) await updates.apply(i, gradient, { lr, scale });
      } finally {
        for (const gradient of gradients) gradient.dispose();
      }
      return { lr, loss };
    };
    return {
      step,
      dispose: () => {
        updates = undefined;
      },
    };
  };
}

function gradientOf(objective: Objective, theta: readonly Parameter[]): Gradient | Promise<Gradient> {
  if (!objective.gradient)
    throw new KitError(
      "Backpropagation cannot be used with this objective, which has no gradient; use MeZO, which needs only the objective's value.",
    );
  return objective.gradient(theta);
}

function refuseNotFinite(step: number, loss: number, size: number): void {
  if (Number.isFinite(loss) && Number.isFinite(size)) return;
  const advice = step === 0 ? "take another model" : "try a learning rate ten times smaller"; // none has done anything yet
  throw new NotFinite(`FT stopped at step ${step}: the loss is ${loss} and its gradient's norm ${size}; ${advice}.`);
}
