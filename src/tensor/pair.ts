import * as tf from "@tensorflow/tfjs";
import { KitError } from "../error.ts";
import { storage } from "./backend.ts";
import { type Distribution, type NoiseKey, noiseKey } from "./noise/key.ts";
import { spreadMany } from "./noise/sweep.ts";
import type { Draw, Parameter } from "./parameter.ts";

/** The two places theta + eps z and theta − eps z. */
export interface Shift {
  readonly law: Distribution;
  readonly eps: number;
  readonly z: Draw;
}

/** Named tensors: the inputs of an operation. */
export type Inputs = Readonly<Record<string, tf.Tensor>>;

/** Both sides of a tensor. */
export interface Both<T = tf.Tensor> {
  readonly plus: T;
  readonly minus: T;
}

/** A run of both sides at once. Tensors older than `first` are weights or constants, the same on both sides but for theta. */
interface Pass {
  readonly first: number;
  readonly keys: ReadonlyMap<number, NoiseKey>;
  readonly shift: Shift;
  /** By tensor id what fused operations and `constant` made, with its other side if it has one. */
  readonly made: Map<number, { readonly plus: tf.Tensor; readonly minus: tf.Tensor | undefined }>;
}

/** How an operation treats an input of theta that is too large to be formed whole; undefined where it would rather have it whole. */
export type PairRule = (
  inputs: Both<Inputs>,
  formed: FormRows,
  attrs: Readonly<Record<string, unknown>>,
) => Both | undefined;

/** Both sides of some elements of a weight, in arrays of that size; undefined for a tensor that is no weight of theta. */
export type FormRows = (tensor: tf.Tensor) => ((stretches: readonly Stretch[]) => void) | undefined;

/** Elements `from` up to `to` of a weight, and where their two sides go. */
export interface Stretch extends Both<Float32Array> {
  readonly from: number;
  readonly to: number;
}

const rules = new Map<string, PairRule>();

/** Registers how an operation reads a weight of theta that should not be formed whole, on a backend. */
export function pairRule(name: string, backend: string, rule: PairRule): void {
  rules.set(`${backend} ${name}`, rule);
}

let active: Pass | undefined;

/** Whether both sides can be run at once here: where this process can see the weights. */
export function canPair(): boolean {
  return storage().view !== undefined;
}

/**
 * Runs `body`, made of fused operations alone, at theta + eps z and theta − eps z in one pass (design B): each operation is run for both
 * sides, and an operation's weights are formed for it and then forgotten, so that z is made once and theta is never disturbed. What does
 * not depend on theta is computed once. `body` sees the plus side; `sides` gives both sides' values of a tensor that it made.
 */
export function pairwise<T>(
  theta: readonly Parameter[],
  shift: Shift,
  body: (sides: (tensor: tf.Tensor) => Both<Float32Array>) => T,
): T {
  const { seed, step, index } = shift.z;
  const keys = new Map(theta.map(({ name, value }) => [value.id, noiseKey(seed, step, name, index)]));
  const pass: Pass = { first: nextId(), keys, shift, made: new Map() };
  const outer = active;
  active = pass;
  try {
    return body((tensor) => ({ plus: valuesOf(tensor), minus: valuesOf(minusOf(pass, tensor) ?? tensor) }));
  } finally {
    active = outer;
    for (const { minus } of pass.made.values()) minus?.dispose();
  }
}

/** Says that a tensor made just now is the same on both sides. */
export function sameOnBothSides(tensor: tf.Tensor): void {
  active?.made.set(tensor.id, { plus: tensor, minus: undefined });
}

/** Runs an operation on its inputs; where both sides are run, on each side's, its result being the plus side's. */
export function onBothSides<Given extends Inputs, T extends tf.Tensor>(
  name: string,
  inputs: Given,
  attrs: Readonly<Record<string, unknown>>,
  run: (inputs: Given) => T,
): T {
  const pass = active;
  if (!pass) return run(inputs);
  forgetDisposed(pass);
  const all = Object.values(inputs);
  const minus = all.map((tensor) => minusOf(pass, tensor));
  const formed = all.map((tensor) => pass.keys.has(tensor.id));
  if (!formed.includes(true) && minus.every((side) => side === undefined)) {
    const output = run(inputs);
    pass.made.set(output.id, { plus: output, minus: undefined });
    return output;
  }
  active = undefined; // what one side runs on its way is no concern of the other's
  try {
    const other = rebuilt(inputs, (tensor, i) => minus[i] ?? tensor);
    const both = byRule(pass, name, { plus: inputs, minus: other }, attrs) ?? whole(pass, inputs, other, run);
    pass.made.set(both.plus.id, { plus: both.plus, minus: tf.keep(both.minus) });
    return both.plus as T;
  } finally {
    active = pass;
  }
}

function byRule(
  pass: Pass,
  name: string,
  inputs: Both<Inputs>,
  attrs: Readonly<Record<string, unknown>>,
): Both | undefined {
  const rule = rules.get(`${tf.getBackend()} ${name}`);
  const formed: FormRows = (tensor) => {
    const key = pass.keys.get(tensor.id);
    const theta = key && storage().source!(tensor);
    return (
      key &&
      ((stretches) =>
        form(
          pass,
          stretches.map((stretch) => ({ ...stretch, theta: theta!, key })),
        ))
    );
  };
  return rule?.(inputs, formed, attrs);
}

/** Forms the weights among the inputs whole, runs both sides, and frees them. */
function whole<Given extends Inputs, T extends tf.Tensor>(
  pass: Pass,
  plus: Given,
  minus: Given,
  run: (inputs: Given) => T,
): Both<T> {
  const weights = new Map<number, Both>();
  const entries = Object.values(plus).flatMap((tensor) => {
    const key = pass.keys.get(tensor.id);
    if (!key) return [];
    const sides = { plus: blank(tensor.shape), minus: blank(tensor.shape) };
    weights.set(tensor.id, sides);
    const { view, source } = storage();
    return {
      theta: source!(tensor),
      from: 0,
      to: tensor.size,
      key,
      plus: view!(sides.plus),
      minus: view!(sides.minus),
    };
  });
  form(pass, entries);
  const [above, below] = (["plus", "minus"] as const).map((side) =>
    run(rebuilt(side === "plus" ? plus : minus, (tensor) => weights.get(tensor.id)?.[side] ?? tensor)),
  );
  for (const sides of weights.values()) tf.dispose([sides.plus, sides.minus]);
  return { plus: above!, minus: below! };
}

function form({ shift }: Pass, entries: Parameters<typeof spreadMany>[0]): void {
  spreadMany(entries, shift.eps, shift.law);
}

/** A tensor of a shape, whatever it holds. */
export function blank(shape: readonly number[]): tf.Tensor {
  return storage().blank?.(shape) ?? tf.zeros([...shape]);
}

function rebuilt<Given extends Inputs>(inputs: Given, change: (tensor: tf.Tensor, index: number) => tf.Tensor): Given {
  const entries = Object.entries(inputs).map(([name, tensor], i) => [name, change(tensor, i)] as const);
  const made = Array.isArray(inputs) ? entries.map(([, tensor]) => tensor) : Object.fromEntries(entries);
  return made as unknown as Given;
}

/** The other side of a tensor that exists now. A result that no fused operation made may have lost one: that is an error. */
function minusOf({ first, keys, made }: Pass, tensor: tf.Tensor): tf.Tensor | undefined {
  const known = made.get(tensor.id);
  if (known || keys.has(tensor.id) || tensor.id < first || tensor.dtype !== "float32") return known?.minus;
  throw new KitError(
    `Both sides were to be run at once, but no fused operation made a tensor of shape [${tensor.shape}]; make it by one, or mark it as constant.`,
  );
}

function forgetDisposed({ made }: Pass): void {
  for (const [id, { plus, minus }] of made) {
    if (!plus.isDisposed) continue;
    minus?.dispose();
    made.delete(id);
  }
}

/** A copy of the values: the buffer may be used again. */
const valuesOf = (tensor: tf.Tensor): Float32Array => storage().view!(tensor).slice();

/** Tensors made from now on have at least this id. */
function nextId(): number {
  return tf.tidy(() => tf.scalar(0).id);
}
