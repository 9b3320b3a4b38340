import * as tf from "@tensorflow/tfjs-core";
import { KitError } from "../error.ts";

/** Named tensors: the inputs of an operation. */
export type Inputs = Readonly<Record<string, tf.Tensor>>;

/** What decides an operation beside its inputs. */
export type Attributes = Readonly<Record<string, unknown>>;

/** One use of a fused operation. */
export interface Call<Given extends Inputs = Inputs, T extends tf.Tensor = tf.Tensor> {
  readonly name: string;
  readonly inputs: Given;
  readonly attrs: Attributes;
  /** The result for these or other inputs of the same names. */
  readonly run: (inputs: Given) => T;
}

/** The result of an operation that depends on theta, and its companion where the interpreter carries one. */
export interface Traced<T extends tf.Tensor = tf.Tensor> {
  readonly value: T;
  readonly companion?: tf.Tensor | undefined;
}

/**
 * An interpreter of fused operations. Beside each tensor that depends on theta it may carry a companion, in the same shape: the tensor's
 * value on the other side of theta, or its tangent. `Pass` is what one of its runs knows, `Rule` what it may know of one operation.
 */
export interface Interpreter<Pass, Rule> {
  /** Begins the sentence of an error. */
  readonly name: string;
  readonly isWeight: (pass: Pass, tensor: tf.Tensor) => boolean;
  /** Runs an operation of which an input is a weight or has a companion; `companions` are in the order of the inputs. */
  readonly interpret: <Given extends Inputs, T extends tf.Tensor>(
    pass: Pass,
    call: Call<Given, T>,
    companions: readonly (tf.Tensor | undefined)[],
    rule: Rule | undefined,
  ) => Traced<T>;
}

const rules = new Map<string, unknown>();

/** The backend of a rule for all of them. */
export const ANY_BACKEND = "any";

/** Defines how an interpreter treats an operation on a backend. */
export function defineRule<Rule>(
  { name }: Interpreter<never, Rule>,
  operation: string,
  backend: string,
  rule: Rule,
): void {
  rules.set(`${name} ${operation} ${backend}`, rule);
}

function findRule<Rule>({ name }: Interpreter<never, Rule>, operation: string): Rule | undefined {
  const on = (backend: string): unknown => rules.get(`${name} ${operation} ${backend}`);
  return (on(tf.getBackend()) ?? on(ANY_BACKEND)) as Rule | undefined;
}

/** A run of an interpreter. */
interface Trace {
  readonly name: string;
  /** Tensors older than this id are weights or constants. */
  readonly first: number;
  readonly isWeight: (tensor: tf.Tensor) => boolean;
  readonly interpret: <Given extends Inputs, T extends tf.Tensor>(
    call: Call<Given, T>,
    companions: readonly (tf.Tensor | undefined)[],
  ) => Traced<T>;
  /** By tensor id what fused operations and `constant` made, with its companion if it has one. */
  readonly made: Map<number, { readonly tensor: tf.Tensor; readonly companion?: tf.Tensor | undefined }>;
}

/** The innermost interpreter last. */
const stack: Trace[] = [];

/**
 * Runs `body`, made of fused operations alone, under an interpreter; `companion` gives that of a tensor which exists, until the end of
 * the body. What does not depend on theta is computed once and has none. Throws a KitError where a companion may be lost.
 */
export function interpret<Pass, Rule, R>(
  interpreter: Interpreter<Pass, Rule>,
  pass: Pass,
  body: (companion: (tensor: tf.Tensor) => tf.Tensor | undefined) => R,
): R {
  const trace: Trace = {
    name: interpreter.name,
    first: tf.tidy(() => tf.scalar(0).id),
    isWeight: (tensor) => interpreter.isWeight(pass, tensor),
    interpret: (call, companions) => interpreter.interpret(pass, call, companions, findRule(interpreter, call.name)),
    made: new Map(),
  };
  stack.push(trace);
  try {
    return body((tensor) => findCompanion(trace, tensor));
  } finally {
    stack.pop();
    for (const { companion } of trace.made.values()) companion?.dispose();
  }
}

/**
 * Runs the kernel that the current backend has for a fused operation, or the reference composition where it has none, as the
 * interpreters that are at work see it. Inputs go by name; optional ones are left out, never undefined.
 */
export function fused<Given extends Inputs, T extends tf.Tensor>(
  name: string,
  inputs: Given,
  attrs: Attributes,
  reference: (inputs: Given) => T,
): T {
  const kernel = tf.getKernel(name, tf.getBackend());
  const run = (given: Given): T =>
    kernel
      ? (tf.engine().runKernel(name, given, attrs as tf.NamedAttrMap) as unknown as T)
      : tf.tidy(() => reference(given));
  return evaluate({ name, inputs, attrs, run });
}

/** Says that a tensor made just now, by no fused operation, depends on no weight. */
export function constant<T extends tf.Tensor>(tensor: T): T {
  for (const { made } of stack) made.set(tensor.id, { tensor });
  return tensor;
}

/** Hands an operation to the innermost interpreter; what that runs on its way is seen by the outer ones alone. */
function evaluate<Given extends Inputs, T extends tf.Tensor>(call: Call<Given, T>): T {
  const trace = stack.pop();
  if (!trace) return call.run(call.inputs);
  try {
    return follow(trace, { ...call, run: (inputs) => evaluate({ ...call, inputs }) });
  } finally {
    stack.push(trace);
  }
}

function follow<Given extends Inputs, T extends tf.Tensor>(trace: Trace, call: Call<Given, T>): T {
  const { made, isWeight, interpret } = trace;
  forgetDisposed(trace);
  const inputs = Object.values(call.inputs);
  const companions = inputs.map((tensor) => findCompanion(trace, tensor));
  if (!inputs.some(isWeight) && companions.every((companion) => companion === undefined)) {
    const value = call.run(call.inputs);
    made.set(value.id, { tensor: value });
    return value;
  }
  const { value, companion } = interpret(call, companions);
  made.set(value.id, { tensor: value, companion: companion && tf.keep(companion) });
  return value;
}

/** The companion of a tensor that exists now. A result that no fused operation made may have lost one: that is an error. */
function findCompanion({ name, first, made, isWeight }: Trace, tensor: tf.Tensor): tf.Tensor | undefined {
  const known = made.get(tensor.id);
  if (known || isWeight(tensor) || tensor.id < first || tensor.dtype !== "float32") return known?.companion;
  throw new KitError(
    `${name} met a tensor of shape [${tensor.shape}] that no fused operation made; make it with one, or mark it as constant.`,
  );
}

function forgetDisposed({ made }: Trace): void {
  for (const [id, { tensor, companion }] of made) {
    if (!tensor.isDisposed) continue;
    companion?.dispose();
    made.delete(id);
  }
}

/**
 * The gradients of a fused operation: for each input that has one, a function that makes it from dy, what was saved and the attributes. It may
 * be given the sum of the gradients that the input has from elsewhere, to add to that in place and return the very same tensor.
 */
export type FusedGradient = (
  dy: tf.Tensor,
  saved: readonly tf.Tensor[],
  attrs: Attributes,
) => Record<string, MakeGradient>;

/** Makes the gradient in one input, or adds it to the sum of the others. */
export type MakeGradient = (sum?: tf.Tensor) => tf.Tensor;

/** As `FusedGradient`, or undefined where it does not serve. */
export type OwnGradient = (...given: Parameters<FusedGradient>) => ReturnType<FusedGradient> | undefined;

const ownGradients = new Map<string, OwnGradient>();

/** Gives a backend gradients of its own for a fused operation, made of the same inputs as the others. */
export function defineGradient(operation: string, backend: string, gradient: OwnGradient): void {
  ownGradients.set(`${operation} ${backend}`, gradient);
}

/**
 * Registers the gradient of a fused operation, for backends that have none of their own. It needs some of the inputs again, and last, where
 * it says so, the result.
 */
export function fusedGradient(
  kernelName: string,
  inputsToSave: string[],
  gradFunc: FusedGradient,
  saveResult = false,
): void {
  const find: FusedGradient = (...given) =>
    ownGradients.get(`${kernelName} ${tf.getBackend()}`)?.(...given) ?? gradFunc(...given);
  tf.registerGradient({
    kernelName,
    inputsToSave,
    outputsToSave: [saveResult],
    gradFunc: (dy, saved, attrs) => find(dy as tf.Tensor, saved, attrs as Attributes),
  });
}
