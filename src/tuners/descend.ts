import type { Draw, Parameter, Perturb } from "../tensor/parameter.ts";

/** How far to go along z. */
export interface Descent {
  /** Multiplies z: learning rate times estimate. */
  readonly by: number;
  /** theta stands at its step's start minus this many z, and is brought back in the same sweep. */
  readonly back?: number;
  /** The share of a weight that decays: learning rate times weight decay. */
  readonly decay?: number;
}

/**
 * theta − by · z − decay · theta in one sweep, in place; theta being what it is after `back` · z was added. Unlike Algorithm 1,
 * which makes z once to restore theta and again to update it.
 */
export function descend(
  theta: readonly Parameter[],
  noise: Perturb,
  z: Draw,
  { by, back = 0, decay = 0 }: Descent,
): void {
  const free = decay === 0 ? theta : theta.filter(({ name }) => !decays(name));
  noise(free, back - by, z);
  if (free.length === theta.length) return;
  const keep = 1 - decay;
  noise(
    theta.filter(({ name }) => decays(name)),
    back * keep - by,
    z,
    keep,
  );
}

/** The authors' rule for what weight decay leaves out, by name and case. */
export function decays(name: string): boolean {
  return !["bias", "layer_norm", "layernorm"].some((part) => name.includes(part));
}
