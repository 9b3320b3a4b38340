import * as tf from "@tensorflow/tfjs-core";
import { storage } from "./backend.ts";
import { factorSides, formPart } from "./factors.ts";
import { type Distribution, type Factors, type Move, type NoiseKey, type Stretch, wholeStretch } from "./noise/key.ts";
import { moveMany } from "./noise/sweep.ts";
import { type Draw, denseLaw, type Law, movesOf, type Parameter } from "./parameter.ts";
import type { Both } from "./storage.ts";
import { type Attributes, type Call, type Inputs, type Interpreter, interpret, type Traced } from "./trace.ts";

export type { Both };

/** The two places theta + eps z and theta − eps z. */
export interface Shift {
  readonly law: Law;
  readonly eps: number;
  readonly z: Draw;
}

/** What a pass knows: what each weight's z is made from, by tensor id. */
interface Pass {
  readonly moves: ReadonlyMap<number, Move>;
  readonly shift: Shift;
}

/** How an operation runs on both sides where it can do better than with its weights formed whole; undefined where it cannot. */
export type PairRule = (inputs: Both<Inputs>, inTheta: InTheta, attrs: Attributes) => Both | undefined;

/** What a pass knows of a weight of theta; undefined for a tensor that is none. */
export type InTheta = (tensor: tf.Tensor) => WeightInTheta | undefined;

/** A weight of theta, whose sides are weight ± eps z. */
export interface WeightInTheta {
  /** What z is made from: one of the two. */
  readonly noise?: { readonly key: NoiseKey; readonly law: Distribution; readonly eps: number };
  readonly lowRank?: Factors & { readonly eps: number };
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
  isWeight: ({ moves }, { id }) => moves.has(id),
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
  const found = movesOf(shift.law, theta, { scale: shift.eps, draw: shift.z, keep: 1 });
  const moves = new Map(found.map(({ moves: [move] }, i) => [theta[i]!.value.id, move!]));
  return interpret(pair, { moves, shift }, (companion) =>
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
  ({ moves, shift: { law, eps } }: Pass): InTheta =>
  (tensor) => {
    const move = moves.get(tensor.id);
    if (!move) return undefined;
    const { key, factors } = move;
    if (factors) {
      const form: WeightInTheta["form"] = (parts) => {
        for (const part of parts) formPart(tensor, factors, eps, part);
      };
      return { lowRank: { ...factors, eps }, form };
    }
    const whole = wholeStretch(storage().source!(tensor), [move], denseLaw(law));
    const form: WeightInTheta["form"] = (parts) => moveMany(parts.map((part) => ({ ...whole, ...part })));
    return { noise: { key, law: denseLaw(law), eps }, form };
  };

/** Forms the weights among the inputs whole, runs both sides, and frees them. */
function runWhole<Given extends Inputs, T extends tf.Tensor>(
  pass: Pass,
  { inputs: plus, run }: Call<Given, T>,
  minus: Given,
): Traced<T> {
  const weights = formSides(pass, Object.values(plus));
  const [value, companion] = (["plus", "minus"] as const).map((side) =>
    run(mapInputs(side === "plus" ? plus : minus, (tensor) => weights.get(tensor.id)?.[side] ?? tensor)),
  );
  for (const sides of weights.values()) tf.dispose([sides.plus, sides.minus]);
  return { value: value!, companion: companion! };
}

/** Both sides of the weights among some tensors, by tensor id. */
function formSides({ moves, shift: { law, eps } }: Pass, tensors: readonly tf.Tensor[]): Map<number, Both> {
  const inTheta = [...new Map(tensors.map((tensor) => [tensor.id, tensor])).values()].flatMap((tensor) => {
    const move = moves.get(tensor.id);
    return move ? [{ tensor, ...move }] : [];
  });
  const dense = inTheta.filter(({ factors }) => !factors);
  const formed = storage().sides(dense, eps, denseLaw(law));
  const sides = new Map(dense.map(({ tensor }, i) => [tensor.id, formed[i]!]));
  for (const { tensor, factors } of inTheta) if (factors) sides.set(tensor.id, factorSides(tensor, factors, eps));
  return sides;
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
