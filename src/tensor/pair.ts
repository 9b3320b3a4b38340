import * as tf from "@tensorflow/tfjs-core";
import { storage } from "./backend.ts";
import { factorSides, formPart, moveWeights } from "./factors.ts";
import { type Distribution, type Factors, type Move, type NoiseKey, type Stretch, wholeStretch } from "./noise/key.ts";
import { moveMany } from "./noise/sweep.ts";
import { type Draw, denseLaw, type Law, movesOf, type Parameter } from "./parameter.ts";
import type { Both } from "./storage.ts";
import { type Attributes, type Call, type Inputs, type Interpreter, interpret } from "./trace.ts";

export type { Both };

/** The two places theta + eps z and theta − eps z, or the first of them alone. */
export interface Shift {
  readonly law: Law;
  readonly eps: number;
  readonly z: Draw;
}

/** How many sides a pass is over: theta + eps z alone, or theta − eps z too. */
type Sides = 1 | 2;

/** What a pass knows: what each weight's z is made from, by tensor id. */
interface Pass {
  readonly moves: ReadonlyMap<number, Move>;
  readonly shift: Shift;
  readonly sides: Sides;
}

/**
 * How an operation runs on a pass's sides, given its inputs on each, where it can do better than with its weights formed whole; undefined where
 * it cannot.
 */
export type PairRule = (
  sides: readonly Inputs[],
  inTheta: InTheta,
  attrs: Attributes,
) => readonly tf.Tensor[] | undefined;

/** What a pass knows of a weight of theta; undefined for a tensor that is none. */
export type InTheta = (tensor: tf.Tensor) => WeightInTheta | undefined;

/** A weight of theta, whose sides are weight ± eps z. */
export interface WeightInTheta {
  /** How many of them the pass is over. */
  readonly sides: Sides;
  /** What z is made from: one of the two. */
  readonly noise?: { readonly key: NoiseKey; readonly law: Distribution; readonly eps: number };
  readonly lowRank?: Factors & { readonly eps: number };
  /** Forms both sides of some elements, in the arrays given. */
  readonly form: (parts: readonly WeightPart[]) => void;
}

/** Elements `from` up to `to` of a weight, and where their two sides go. */
export type WeightPart = Required<Pick<Stretch, "from" | "to" | "sides">>;

/**
 * Runs each operation at theta + eps z, and in a pass over both sides at theta − eps z as its companion. An operation's weights are formed for it and then freed,
 * by its rule a part at a time, without one whole.
 */
export const pair: Interpreter<Pass, PairRule> = {
  name: "A pass over one or both sides",
  isWeight: ({ moves }, { id }) => moves.has(id),
  interpret: (pass, call, companions, rule) => {
    const other = mapInputs(call.inputs, (tensor, i) => companions[i] ?? tensor);
    const sides = [call.inputs, other].slice(0, pass.sides);
    const results = rule?.(sides, findIn(pass), call.attrs) ?? runWhole(pass, call, sides);
    return { value: results[0] as ReturnType<typeof call.run>, companion: results[1] };
  },
};

/**
 * Runs `body`, made of fused operations alone, at theta + eps z and theta − eps z in one pass, so that z is made once and theta is never
 * disturbed. What does not depend on theta is computed once. `body` sees the plus side; `sides` gives both sides' values of a tensor
 * that it made, which the body may await after its last operation. Before that it must not wait for anything: operations are seen while it runs.
 */
export function pairwise<T>(theta: readonly Parameter[], shift: Shift, body: (sides: ReadSides) => T): T {
  return interpret(pair, passOf(theta, shift, 2), (companion) =>
    body(async (tensor) => {
      const [plus, minus] = await Promise.all([tensor, companion(tensor) ?? tensor].map(readLater));
      return { plus: plus!, minus: minus! };
    }),
  );
}

/** Runs `body` at theta + eps z alone, theta undisturbed; `read` gives the values of a tensor there. Otherwise as `pairwise`. */
export function beside<T>(
  theta: readonly Parameter[],
  shift: Shift,
  body: (read: (tensor: tf.Tensor) => Promise<Float32Array>) => T,
): T {
  return interpret(pair, passOf(theta, shift, 1), () => body(readLater));
}

function passOf(theta: readonly Parameter[], shift: Shift, sides: Sides): Pass {
  const found = movesOf(shift.law, theta, { scale: shift.eps, draw: shift.z, keep: 1 });
  const moves = new Map(found.map(({ moves: [move] }, i) => [theta[i]!.value.id, move!]));
  return { moves, shift, sides };
}

/** Reads both sides' values of a tensor. */
export type ReadSides = (tensor: tf.Tensor) => Promise<Both<Float32Array>>;

/** The values of a tensor, which may be freed before they are read. */
async function readLater(tensor: tf.Tensor): Promise<Float32Array> {
  const kept = tf.keep(tf.clone(tensor));
  try {
    return await kept.data<"float32">();
  } finally {
    kept.dispose();
  }
}

const findIn =
  ({ moves, shift: { law, eps }, sides }: Pass): InTheta =>
  (tensor) => {
    const move = moves.get(tensor.id);
    if (!move) return undefined;
    const { key, factors } = move;
    if (factors) {
      const form: WeightInTheta["form"] = (parts) => {
        for (const part of parts) formPart(tensor, factors, eps, part);
      };
      return { sides, lowRank: { ...factors, eps }, form };
    }
    const whole = wholeStretch(storage().source!(tensor), [move], denseLaw(law));
    const form: WeightInTheta["form"] = (parts) => moveMany(parts.map((part) => ({ ...whole, ...part })));
    return { sides, noise: { key, law: denseLaw(law), eps }, form };
  };

/** Forms the weights among the inputs whole, runs the sides, and frees them. */
function runWhole<Given extends Inputs>(
  pass: Pass,
  { inputs, run }: Call<Given>,
  sides: readonly Given[],
): tf.Tensor[] {
  const weights = (pass.sides === 1 ? formOneSide : formSides)(pass, Object.values(inputs));
  const results = sides.map((side, i) => run(mapInputs(side, (tensor) => weights.get(tensor.id)?.[i] ?? tensor)));
  for (const formed of weights.values()) tf.dispose([...formed]);
  return results;
}

/** The weights among some tensors at theta + eps z, by tensor id. */
function formOneSide(
  { moves, shift: { law } }: Pass,
  tensors: readonly tf.Tensor[],
): Map<number, readonly tf.Tensor[]> {
  const inTheta = [...new Set(tensors)].filter(({ id }) => moves.has(id));
  const sides = inTheta.map((tensor) => blank(tensor.shape));
  for (const [i, tensor] of inTheta.entries()) storage().copy(tensor, sides[i]!);
  moveWeights(
    inTheta.map(({ id }, i) => ({ tensor: sides[i]!, moves: [moves.get(id)!] })),
    law,
  );
  return new Map(inTheta.map(({ id }, i) => [id, [sides[i]!]]));
}

/** Both sides of the weights among some tensors, by tensor id. */
function formSides(
  { moves, shift: { law, eps } }: Pass,
  tensors: readonly tf.Tensor[],
): Map<number, readonly tf.Tensor[]> {
  const inTheta = [...new Set(tensors)].flatMap((tensor) => {
    const move = moves.get(tensor.id);
    return move ? [{ tensor, ...move }] : [];
  });
  const dense = inTheta.filter(({ factors }) => !factors);
  const formed = storage().sides(dense, eps, denseLaw(law));
  const sides = new Map(dense.map(({ tensor }, i) => [tensor.id, formed[i]!]));
  for (const { tensor, factors } of inTheta) if (factors) sides.set(tensor.id, factorSides(tensor, factors, eps));
  return new Map([...sides].map(([id, { plus, minus }]) => [id, [plus, minus]]));
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
