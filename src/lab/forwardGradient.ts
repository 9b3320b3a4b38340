import * as tf from "@tensorflow/tfjs-core";
import { KitError, NotFinite } from "../error.ts";
import { type AttentionShape, groupSequences } from "../kernels/attention.ts";
import { type Heads, mergeHeads, splitHeads, weighKeys } from "../kernels/attentionHeads.ts";
import { columns } from "../kernels/columns.ts";
import { type Activation, activate, activationGradient } from "../kernels/elementwise.ts";
import { embed } from "../kernels/embed.ts";
import { linear } from "../kernels/linear.ts";
import { inverseRms, rowMean, splitRows, standardize } from "../kernels/norm.ts";
import { type Angles, rotary } from "../kernels/rotary.ts";
import { gradients } from "../tensor/gradients.ts";
import { type Parameter, readValues, scaledNoise } from "../tensor/parameter.ts";
import { ANY_BACKEND, type Attributes, defineRule, type Inputs, type Interpreter, interpret } from "../tensor/trace.ts";
import { defineTuner } from "../tuners/define.ts";
import type { Derivative, Objective, Tuner } from "../tuners/tuner.ts";
import { describeZeroth, refuseUnknown, type ZerothOptions, zerothOptions, zerothOrder } from "../tuners/zeroth.ts";

/** Makes the tangent of a weight, in its shape, again at each call. */
export type TangentOf = (weight: Parameter) => tf.Tensor;

/** What a rule sees of one run of an operation; inputs that do not change along the tangent have none. */
interface TangentCall {
  readonly inputs: Inputs;
  readonly tangents: Readonly<Record<string, tf.Tensor | undefined>>;
  readonly attrs: Attributes;
  readonly output: tf.Tensor;
}

/** The tangent of an operation's result, in its shape, from those of its inputs, at least one of which there is. */
type TangentRule = (call: TangentCall) => tf.Tensor;

/** What a pass knows: the weights by tensor id. */
interface Pass {
  readonly weights: ReadonlyMap<number, Parameter>;
  readonly tangentOf: TangentOf;
}

/** Runs each operation, with the tangent of its result as the companion. A weight's tangent is made at each use and freed after it. */
const forwardMode: Interpreter<Pass, TangentRule> = {
  name: "Forward mode",
  isWeight: ({ weights }, { id }) => weights.has(id),
  interpret: ({ weights, tangentOf }, { name, inputs, attrs, run }, companions, rule) => {
    if (!rule) throw new KitError(`The operation ${name} has no rule for forward mode; use MeZO, which needs none.`);
    const output = run(inputs);
    const tangent = tf.tidy(() => {
      const tangents = Object.entries(inputs).map(([key, tensor], i) => {
        const weight = weights.get(tensor.id);
        return [key, weight ? tangentOf(weight) : companions[i]] as const;
      });
      return rule({ inputs, attrs, output, tangents: Object.fromEntries(tangents) }).clone(); // a rule may give what it was given
    });
    return { value: output, companion: tangent };
  },
};

/** A function's value and its tangent, both the caller's to dispose of; no tangent where it does not depend on theta. */
export function forward<T extends tf.Tensor>(
  body: () => T,
  theta: readonly Parameter[],
  tangentOf: TangentOf,
): { readonly value: T; readonly tangent: tf.Tensor | undefined } {
  const weights = new Map(theta.map((weight) => [weight.value.id, weight]));
  return interpret(forwardMode, { weights, tangentOf }, (companion) => {
    const value = tf.tidy(body);
    return { value, tangent: companion(value)?.clone() };
  });
}

/**
 * Loss and derivative of tail(body()) along a tangent of the weights: forward mode through `body`, which is made of fused operations
 * alone, then backpropagation through `tail`, which may be anything. Throws a KitError where `body` uses an operation that has no rule.
 */
export async function forwardDerivative<T extends tf.Tensor>(
  body: () => T,
  tail: (features: T) => tf.Tensor,
  theta: readonly Parameter[],
  tangentOf: TangentOf,
): Promise<Derivative> {
  const { value, tangent } = forward(body, theta, tangentOf);
  try {
    const xs = [value, ...theta.map((weight) => weight.value)];
    const { value: loss, grads } = gradients(() => tail(value), xs);
    const [own, ...others] = grads as (tf.Tensor | undefined)[];
    let derivative = own && tangent ? await dot(own, tangent) : 0;
    for (const [i, gradient] of others.entries()) {
      if (!gradient) continue;
      const along = tangentOf(theta[i]!);
      derivative += await dot(gradient, along);
      along.dispose();
    }
    const result = { loss: (await loss.data())[0]!, derivative };
    tf.dispose([loss, ...(grads as (tf.Tensor | undefined)[]).filter((each) => each !== undefined)]);
    return result;
  } finally {
    value.dispose();
    tangent?.dispose();
  }
}

/** Sum of products, in double precision. */
async function dot(a: tf.Tensor, b: tf.Tensor): Promise<number> {
  const [x, y] = [await readValues(a), await readValues(b)];
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]! * y[i]!;
  return sum;
}

const defineTangent = (operation: string, rule: TangentRule): void =>
  defineRule(forwardMode, operation, ANY_BACKEND, rule);

/** The sum of those of the tensors that exist, at least one. */
function total(...parts: readonly (tf.Tensor | undefined | false)[]): tf.Tensor {
  const [first, ...others] = parts.filter((part): part is tf.Tensor => Boolean(part));
  return others.reduce<tf.Tensor>((sum, part) => tf.add(sum, part), first!);
}

defineTangent("Add", ({ tangents: { a, b }, output }) => total(a, b && tf.broadcastTo(b, output.shape)));

defineTangent("Multiply", ({ inputs, tangents: { a, b } }) =>
  total(a && tf.mul(a, inputs.b!), b && tf.mul(inputs.a!, b)),
);

defineTangent("Concat", ({ inputs, tangents }) =>
  tf.concat(
    ["0", "1"].map((i) => tangents[i] ?? tf.zerosLike(inputs[i]!)),
    0,
  ),
);

defineTangent("Columns", ({ tangents, attrs }) => columns(tangents.x!, attrs.from as number, attrs.to as number));

defineTangent("Embed", ({ inputs, tangents }) => embed(inputs.ids!, tangents.table!));

defineTangent("Rotary", ({ tangents, attrs }) => rotary(tangents.x!, attrs.angles as Angles));

defineTangent("Activation", ({ inputs, tangents, attrs }) =>
  activationGradient(tangents.x!, inputs.x!, attrs.activation as Activation),
);

defineTangent("LayerNorm", ({ inputs, tangents: { x, weight, bias }, attrs, output }) => {
  const { normal, scale } = standardize(inputs.x!, attrs.epsilon as number);
  const change = (dx: tf.Tensor): tf.Tensor => {
    const centred = tf.sub(dx, rowMean(dx));
    const along = rowMean(tf.mul(centred, normal));
    return tf.mul(tf.mul(scale, tf.sub(centred, tf.mul(normal, along))), inputs.weight!);
  };
  return total(x && change(x), weight && tf.mul(normal, weight), bias && tf.broadcastTo(bias, output.shape));
});

defineTangent("RmsNorm", ({ inputs, tangents: { x, weight }, attrs, output }) => {
  const heads = splitRows(inputs.x!, inputs.weight!);
  const scale = inverseRms(heads, attrs.epsilon as number);
  const normal = tf.mul(heads, scale);
  const change = (dx: tf.Tensor): tf.Tensor =>
    tf.mul(tf.mul(scale, tf.sub(dx, tf.mul(normal, rowMean(tf.mul(dx, normal))))), inputs.weight!);
  const changed = total(x && change(splitRows(x, inputs.weight!)), weight && tf.mul(normal, weight));
  return tf.reshape(changed, output.shape);
});

/** The tangent of x Wᵀ + bias, where one of them has one. */
function productTangent(
  x: tf.Tensor,
  weight: tf.Tensor,
  tangents: Readonly<Partial<Record<"x" | "weight" | "bias", tf.Tensor | undefined>>>,
): tf.Tensor | undefined {
  const { x: dx, weight: dWeight, bias: dBias } = tangents;
  if (!dx && !dWeight && !dBias) return undefined;
  return total(
    dx && linear(dx, weight),
    dWeight && linear(x, dWeight),
    dBias && tf.broadcastTo(dBias, [x.shape[0]!, weight.shape[0]!]),
  );
}

defineTangent("Linear", ({ inputs: { x, weight }, tangents, attrs, output }) => {
  const product = productTangent(x!, weight!, tangents);
  const passed = attrs.activation ? product && tf.mul(product, tf.step(output)) : product;
  return total(passed, tangents.residual);
});

defineTangent("SmoothLinear", ({ inputs: { x, weight, bias }, tangents, attrs }) => {
  const before = linear(x!, weight!, { bias: bias! });
  return activationGradient(productTangent(x!, weight!, tangents)!, before, attrs.activation as Activation);
});

defineTangent("FeedForward", ({ inputs, tangents, attrs }) => {
  const activation = attrs.activation as Activation;
  const [x, up, down] = [inputs.x!, inputs.up!, inputs.down!];
  const before = linear(x, up, { bias: inputs.upBias! });
  const dBefore = productTangent(x, up, { x: tangents.x, weight: tangents.up, bias: tangents.upBias });
  const product = productTangent(activate(before, activation), down, {
    ...{ x: dBefore && activationGradient(dBefore, before, activation) },
    ...{ weight: tangents.down, bias: tangents.downBias },
  });
  return total(product, tangents.residual);
});

defineTangent("Attention", ({ inputs, tangents, attrs }) => {
  const shape = attrs as unknown as AttentionShape;
  const names = ["q", "k", "v"] as const;
  const values = names.map((name) => inputs[name]!);
  const changes = names.map((name) => tangents[name] ?? tf.zerosLike(inputs[name]!));
  const parts = groupSequences(shape).map((group) =>
    groupTangent(splitHeads(values, group, shape.heads), splitHeads(changes, group, shape.heads), shape.causal),
  );
  return tf.concat(parts, 0);
});

/** Tangent of one group: with P the weights, dS = (dQ Kᵀ + Q dKᵀ) scaled, dP = P ∘ (dS − rowsum(P ∘ dS)), dO = dP V + P dV. */
function groupTangent([q, k, v]: Heads, [dq, dk, dv]: Heads, causal: boolean): tf.Tensor {
  const p = weighKeys(q, k, causal);
  const products = tf.add(tf.matMul(dq, k, false, true), tf.matMul(q, dk, false, true));
  const ds = tf.mul(products, 1 / Math.sqrt(q.shape[3]!));
  const dp = tf.mul(p, tf.sub(ds, tf.sum(tf.mul(p, ds), -1, true)));
  return mergeHeads(tf.add(tf.matMul(dp, v), tf.matMul(p, dv)));
}

/** Settings of the forward gradient: those of MeZO without eps. */
export type ForwardGradientOptions = Omit<ZerothOptions, "eps">;

const NAME = "forward-gradient";

/**
 * The forward gradient (Baydin et al. 2022; Table 12): MeZO with the exact derivative along z, by one pass in forward
 * mode, in place of the difference. Unlike the paper, which found that z must be stored, z is generated again for each use of a weight.
 */
export const forwardGradient: (options: ForwardGradientOptions) => Tuner = defineTuner(NAME, (options) => {
  refuseUnknown(NAME, options, ["lr", "schedule", "weightDecay", "noise", "share"]);
  const { eps: _, ...settings } = zerothOptions(NAME, options);
  const { weightDecay } = settings;
  const begin = zerothOrder(settings, (theta, along, noise) => async ({ objective, z, lr, step }) => {
    const { loss, derivative } = await derivativeOf(objective, theta, (weight) => scaledNoise(weight, noise, z));
    if (!Number.isFinite(loss) || !Number.isFinite(derivative))
      throw new NotFinite(
        `The forward gradient stopped at step ${step}: the loss is ${loss} and its derivative along z ${derivative}; ${step === 0 ? "take another model" : "try a learning rate ten times smaller"}.`,
      );
    const line = along(theta, objective, z);
    line.perturb(-lr * derivative);
    line.settle(lr * weightDecay);
    return { loss, projectedGrad: derivative };
  });
  return { options: describeZeroth(settings), begin };
});

async function derivativeOf(
  objective: Objective,
  theta: readonly Parameter[],
  tangentOf: TangentOf,
): Promise<Derivative> {
  if (!objective.derivative)
    throw new KitError(
      "Forward mode cannot be used with this objective, which has no derivative; use MeZO, which needs only the objective's value.",
    );
  return objective.derivative(theta, tangentOf, (body, tail) => forwardDerivative(body, tail, theta, tangentOf));
}
