import type { Parameter } from "../tensor/parameter.ts";

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
