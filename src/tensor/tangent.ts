import * as tf from "@tensorflow/tfjs";
import { KitError } from "../error.ts";
import type { Parameter } from "./parameter.ts";

/** What a rule sees of one run of a fused operation; inputs that do not change along the tangent have none. */
export interface TangentCall {
  readonly inputs: Readonly<Record<string, tf.Tensor>>;
  readonly tangents: Readonly<Record<string, tf.Tensor | undefined>>;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly output: tf.Tensor;
}

/** The tangent of an operation's result, in its shape, from those of its inputs, at least one of which there is. */
export type TangentRule = (call: TangentCall) => tf.Tensor;

/** A loss, and its derivative along a tangent. */
export interface LossDerivative {
  readonly loss: number;
  readonly derivative: number;
}

const rules = new Map<string, TangentRule>();

/** Registers how a fused operation is differentiated forwards. */
export function fusedTangent(name: string, rule: TangentRule): void {
  rules.set(name, rule);
}

/** A run in forward mode. Tensors older than `first` are weights or constants. */
interface Pass {
  readonly first: number;
  readonly weights: ReadonlyMap<number, Parameter>;
  readonly tangentOf: (weight: Parameter) => tf.Tensor;
  /** By tensor id what fused operations and `constant` made, with its tangent if it has one. */
  readonly made: Map<number, { readonly tensor: tf.Tensor; readonly tangent: tf.Tensor | undefined }>;
}

let active: Pass | undefined;

/**
 * Loss and derivative of tail(body()) along a tangent of the weights: forward mode through `body`, which is made of fused operations
 * alone, then backpropagation through `tail`, which may be anything. `tangentOf` makes a weight's tangent at each use, and it is freed
 * after it: none is stored. Throws a KitError where `body` uses an operation that has no rule.
 */
export function forwardDerivative<T extends tf.Tensor>(
  body: () => T,
  tail: (features: T) => tf.Scalar,
  theta: readonly Parameter[],
  tangentOf: (weight: Parameter) => tf.Tensor,
): LossDerivative {
  const { value, tangent } = forward(body, theta, tangentOf);
  try {
    const xs = [value, ...theta.map((weight) => weight.value)];
    const { value: loss, grads } = tf.engine().gradients(() => tail(value), xs, undefined, true);
    const [own, ...others] = grads as (tf.Tensor | undefined)[];
    let derivative = own && tangent ? dot(own, tangent) : 0;
    others.forEach((gradient, i) => {
      if (gradient) derivative += tf.tidy(() => dot(gradient, tangentOf(theta[i]!)));
    });
    const result = { loss: loss.dataSync()[0]!, derivative };
    tf.dispose([loss, ...(grads as (tf.Tensor | undefined)[]).filter((each) => each !== undefined)]);
    return result;
  } finally {
    value.dispose();
    tangent?.dispose();
  }
}

/** A function's value and its tangent, both the caller's to dispose of; no tangent where it does not depend on theta. */
export function forward<T extends tf.Tensor>(
  body: () => T,
  theta: readonly Parameter[],
  tangentOf: (weight: Parameter) => tf.Tensor,
): { readonly value: T; readonly tangent: tf.Tensor | undefined } {
  const weights = new Map(theta.map((weight) => [weight.value.id, weight]));
  const pass: Pass = { first: nextId(), weights, tangentOf, made: new Map() };
  const outer = active;
  active = pass;
  try {
    const value = tf.tidy(body);
    return { value, tangent: tf.tidy(() => tangentIn(pass, value)?.clone()) as tf.Tensor | undefined };
  } finally {
    active = outer;
    for (const { tangent } of pass.made.values()) tangent?.dispose();
  }
}

/** Says that a tensor made just now changes along no tangent. */
export function constantAlong(tensor: tf.Tensor): void {
  active?.made.set(tensor.id, { tensor, tangent: undefined });
}

/** Told of every fused operation: in forward mode, makes the tangent of its result. */
export function follow(name: string, { inputs, attrs, output }: Omit<TangentCall, "tangents">): void {
  const pass = active;
  if (!pass) return;
  forgetDisposed(pass);
  active = undefined; // a rule's own operations are not to be followed
  try {
    const tangent = tf.tidy(() => tangentOfCall(pass, name, { inputs, attrs, output }));
    pass.made.set(output.id, { tensor: output, tangent: tangent && tf.keep(tangent) });
  } finally {
    active = pass;
  }
}

function tangentOfCall(pass: Pass, name: string, call: Omit<TangentCall, "tangents">): tf.Tensor | undefined {
  const found = Object.entries(call.inputs).map(([key, tensor]) => [key, tangentIn(pass, tensor)] as const);
  if (found.every(([, tangent]) => tangent === undefined)) return undefined;
  const rule = rules.get(name);
  if (!rule) throw new KitError(`The operation ${name} has no rule for forward mode; use MeZO, which needs none.`);
  return rule({ ...call, tangents: Object.fromEntries(found) }).clone(); // a rule may give what it was given
}

/** The tangent of a tensor that exists now. A result that no fused operation made may have lost one: that is an error. */
function tangentIn({ first, weights, made, tangentOf }: Pass, tensor: tf.Tensor): tf.Tensor | undefined {
  const weight = weights.get(tensor.id);
  if (weight) return tangentOf(weight);
  const known = made.get(tensor.id);
  if (known || tensor.id < first || tensor.dtype !== "float32") return known?.tangent;
  throw new KitError(
    `Forward mode met a tensor of shape [${tensor.shape}] that no fused operation made; make it by one, or mark it as constant.`,
  );
}

function forgetDisposed({ made }: Pass): void {
  for (const [id, { tensor, tangent }] of made) {
    if (!tensor.isDisposed) continue;
    tangent?.dispose();
    made.delete(id);
  }
}

/** Tensors made from now on have at least this id. */
function nextId(): number {
  return tf.tidy(() => tf.scalar(0).id);
}

/** Sum of products, in double precision. */
function dot(a: tf.Tensor, b: tf.Tensor): number {
  const [x, y] = [a.dataSync(), b.dataSync()];
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]! * y[i]!;
  return sum;
}

/** The sum of those of the tensors that there are, at least one. */
export function total(...parts: readonly (tf.Tensor | undefined | false)[]): tf.Tensor {
  const [first, ...others] = parts.filter((part): part is tf.Tensor => Boolean(part));
  return others.reduce<tf.Tensor>((sum, part) => tf.add(sum, part), first!);
}
