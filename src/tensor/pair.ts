import * as tf from "@tensorflow/tfjs-core";
import { storage } from "./backend.ts";
import { type Distribution, type NoiseKey, type Stretch, wholeStretch } from "./noise/key.ts";
import { moveMany } from "./noise/sweep.ts";
import { type Draw, keyOf, type Parameter } from "./parameter.ts";
import type { Both } from "./storage.ts";
import { type Attributes, type Call, type Inputs, type Interpreter, interpret, type Traced } from "./trace.ts";

export type { Both };

/** The two places theta + eps z and theta − eps z. */
export interface Shift {
  readonly law: Distribution;
  readonly eps: number;
  readonly z: Draw;
}

/** What a pass knows: the key of each weight's z, by tensor id. */
interface Pass {
  readonly keys: ReadonlyMap<number, NoiseKey>;
  readonly shift: Shift;
}

/** How an operation runs on both sides where it can do better than with its weights formed whole; undefined where it cannot. */
export type PairRule = (inputs: Both<Inputs>, inTheta: InTheta, attrs: Attributes) => Both | undefined;

/** What a pass knows of a weight of theta; undefined for a tensor that is none. */
export type InTheta = (tensor: tf.Tensor) => WeightInTheta | undefined;

/** A weight of theta, whose sides are weight ± eps z. */
export interface WeightInTheta {
  /** What z is made from. */
  readonly noise: { readonly key: NoiseKey; readonly law: Distribution; readonly eps: number };
  /** Forms both sides of some elements, in the arrays given. */
  readonly form: (parts: readonly WeightPart[]) => void;
}

/** Elements `from` up to `to` of a weight, and where their two sides go. */
export type WeightPart = Required<Pick<Stretch, "from" | "to" | "sides">>;

/**
 * Runs each operation at theta + eps z, and at theta − eps z as its companion. An operation's weights are formed for it and then freed,
 * by its rule a part at a time, without one whole.
 */
export const pair: Interpreter<Pass, PairRule> = {
  name: "A pass over both sides",
  isWeight: ({ keys }, { id }) => keys.has(id),
  interpret: (pass, call, companions, rule) => {
    const other = mapInputs(call.inputs, (tensor, i) => companions[i] ?? tensor);
    const both = rule?.({ plus: call.inputs, minus: other }, findIn(pass), call.attrs);
    return both
      ? { value: both.plus as ReturnType<typeof call.run>, companion: both.minus }
      : runWhole(pass, call, other);
  },
};

/**
 * Runs `body`, made of fused operations alone, at theta + eps z and theta − eps z in one pass, so that z is made once and theta is never
 * disturbed. What does not depend on theta is computed once. `body` sees the plus side; `sides` gives both sides' values of a tensor
 * that it made, which the body may await after its last operation. Before that it must not wait for anything: operations are seen while it runs.
 */
export function pairwise<T>(theta: readonly Parameter[], shift: Shift, body: (sides: ReadSides) => T): T {
  const keys = new Map(theta.map(({ name, value }) => [value.id, keyOf(shift.z, name)]));
  return interpret(pair, { keys, shift }, (companion) =>
    body((tensor) => readBoth(tensor, companion(tensor) ?? tensor)),
  );
}

/** Reads both sides' values of a tensor. */
export type ReadSides = (tensor: tf.Tensor) => Promise<Both<Float32Array>>;

async function readBoth(plus: tf.Tensor, minus: tf.Tensor): Promise<Both<Float32Array>> {
  const kept = [plus, minus].map((side) => tf.keep(tf.clone(side))); // either may be freed before it is read
  try {
    const [atPlus, atMinus] = await Promise.all(kept.map((side) => side.data<"float32">()));
    return { plus: atPlus!, minus: atMinus! };
  } finally {
    tf.dispose(kept);
  }
}

const findIn =
  ({ keys, shift }: Pass): InTheta =>
  (tensor) => {
    const key = keys.get(tensor.id);
    if (!key) return undefined;
    const form = formFrom(tensor, key, shift);
    return {
      noise: { key, law: shift.law, eps: shift.eps },
      form: (parts) => moveMany(parts.map(form)),
    };
  };

/** What forms both sides of a part of a weight. */
function formFrom(weight: tf.Tensor, key: NoiseKey, { eps, law }: Shift): (part: WeightPart) => Stretch {
  const whole = wholeStretch(storage().source!(weight), [{ key, scale: eps, keep: 1 }], law);
  return (part) => ({ ...whole, ...part });
}

/** Forms the weights among the inputs whole, runs both sides, and frees them. */
function runWhole<Given extends Inputs, T extends tf.Tensor>(
  { keys, shift }: Pass,
  { inputs: plus, run }: Call<Given, T>,
  minus: Given,
): Traced<T> {
  const inTheta = new Map(
    Object.values(plus).flatMap((tensor) => (keys.has(tensor.id) ? [[tensor.id, tensor] as const] : [])),
  );
  const keyed = [...inTheta.values()].map((tensor) => ({ tensor, key: keys.get(tensor.id)! }));
  const formed = storage().sides(keyed, shift.eps, shift.law);
  const weights = new Map(keyed.map(({ tensor }, i) => [tensor.id, formed[i]!]));
  const [value, companion] = (["plus", "minus"] as const).map((side) =>
    run(mapInputs(side === "plus" ? plus : minus, (tensor) => weights.get(tensor.id)?.[side] ?? tensor)),
  );
  for (const sides of weights.values()) tf.dispose([sides.plus, sides.minus]);
  return { value: value!, companion: companion! };
}

/** A tensor of a shape, whatever it holds. */
export function blank(shape: readonly number[]): tf.Tensor {
  return storage().blank?.(shape) ?? tf.zeros([...shape]);
}

function mapInputs<Given extends Inputs>(
  inputs: Given,
  change: (tensor: tf.Tensor, index: number) => tf.Tensor,
): Given {
  const entries = Object.entries(inputs).map(([name, tensor], i) => [name, change(tensor, i)] as const);
  const changed = Array.isArray(inputs) ? entries.map(([, tensor]) => tensor) : Object.fromEntries(entries);
  return changed as unknown as Given;
}
