import * as tf from "@tensorflow/tfjs-core";
import { KitError } from "../error.ts";
import { addInto } from "./addInto.ts";
import type { MakeGradient } from "./trace.ts";

/** A use of an operation, as TensorFlow.js records it. */
type Use = NonNullable<ReturnType<typeof tf.engine>["state"]["activeTape"]>[number];

/** The sum of the gradients in a tensor, where there are any. */
export type Sum = tf.Tensor | undefined;

/**
 * A function's value and its gradients in xs, of a result whose own gradient is dy (1 where left out); undefined for those it does not depend
 * on. Gradients in xs from elsewhere may be given, which are given up: the new ones are added to them. As TensorFlow.js's own walk through what it
 * recorded, but what is no longer needed is freed on the way, and gradients in one tensor are added up in place. Throws a KitError where an
 * operation has no gradient.
 */
export function gradients<T extends tf.Tensor>(
  f: () => T,
  xs: readonly tf.Tensor[],
  dy?: T,
  from: readonly Sum[] = [],
): { value: T; grads: Sum[] } {
  if (tf.engine().state.gradientDepth > 0) return gradientsInside(f, xs, dy, from);
  const run = (): { value: T; grads: Sum[] } => {
    const { value, uses } = record(f);
    try {
      const sums = new Map([[value.id, dy ? tf.clone(dy) : tf.ones(value.shape)]]);
      for (const [i, { id }] of xs.entries()) if (from[i]) sums.set(id, from[i]);
      walkBack(uses, value, new Set(xs.map(({ id }) => id)), sums);
      return { value, grads: xs.map(({ id }) => sums.get(id)) };
    } finally {
      freeSaved(uses);
    }
  };
  return tf.tidy(run as unknown as () => tf.TensorContainer) as unknown as ReturnType<typeof run>;
}

const freeSaved = (uses: readonly Use[]): void => tf.dispose(uses.map(({ saved }) => saved ?? []));

/** Inside another function that is differentiated, whose operations TensorFlow.js records: it does all. */
function gradientsInside<T extends tf.Tensor>(
  f: () => T,
  xs: readonly tf.Tensor[],
  dy: T | undefined,
  from: readonly Sum[],
): { value: T; grads: Sum[] } {
  const { value, grads } = tf.engine().gradients(f, [...xs], dy, true);
  const add = (sum: Sum, part: Sum): Sum => (sum && part ? tf.add(sum, part) : (sum ?? part));
  return { value, grads: grads.map((part, i) => add(from[i], part)) };
}

/** Adds to the sums, by the ids of tensors, the gradients in all that the value was made of; those in other than wanted ones are freed again. */
function walkBack(
  uses: readonly Use[],
  value: tf.Tensor,
  wanted: ReadonlySet<number>,
  sums: Map<number, tf.Tensor>,
): void {
  const isOnPath = pathBetween(uses, wanted, value);
  for (const use of uses.toReversed()) {
    if (isOnPath(use)) spread(use, sums, isOnPath);
    for (const { id } of use.outputs) if (!wanted.has(id)) forget(sums, id);
    freeSaved([use]);
  }
}

/** Runs a function, and lists the operations that it used. */
function record<T extends tf.Tensor>(f: () => T): { value: T; uses: readonly Use[] } {
  const { state } = tf.engine();
  const uses: Use[] = [];
  state.activeTape = uses;
  state.gradientDepth++;
  try {
    return { value: tf.tidy(f), uses };
  } catch (error) {
    freeSaved(uses);
    throw error;
  } finally {
    state.gradientDepth--;
    state.activeTape = null as never; // what TensorFlow.js leaves there
  }
}

type OnPath = (of: Use | tf.Tensor) => boolean;

/** Tells the operations and tensors through which the value depends on the wanted tensors. */
function pathBetween(uses: readonly Use[], wanted: ReadonlySet<number>, value: tf.Tensor): OnPath {
  const [dependent, needed] = [new Set(wanted), new Set([value.id])];
  for (const { inputs, outputs } of uses)
    if (Object.values(inputs).some(({ id }) => dependent.has(id))) for (const { id } of outputs) dependent.add(id);
  for (const { inputs, outputs } of uses.toReversed())
    if (outputs.some(({ id }) => needed.has(id))) for (const { id } of Object.values(inputs)) needed.add(id);
  return (of) => {
    if (!("outputs" in of)) return dependent.has(of.id);
    return of.outputs.some(({ id }) => needed.has(id) && dependent.has(id));
  };
}

/** Adds to the sums what an operation passes on to its inputs. */
function spread(use: Use, sums: Map<number, tf.Tensor>, isOnPath: OnPath): void {
  if (!use.gradient)
    throw new KitError(
      `A network was to be differentiated, but the kit has no gradient of TensorFlow.js's operation ${use.kernelName}: npm install @tensorflow/tfjs, and import it before the network runs, for the gradients of all operations.`,
    );
  const inputs = Object.entries(use.inputs).filter(([, input]) => isOnPath(input));
  const parts = tf.tidy(() => {
    const make = use.gradient!(use.outputs.map(({ id }) => sums.get(id)!)) as Record<string, MakeGradient>;
    return inputs.map(([name, { id }]) => {
      const [sum, made] = [sums.get(id), make[name]!(sums.get(id))];
      return made === sum ? undefined : tf.clone(made); // what is made may be the result's own gradient
    }) as unknown as tf.TensorContainer;
  }) as unknown as (tf.Tensor | undefined)[];
  inputs.forEach(([, { id }], i) => {
    const [sum, part] = [sums.get(id), parts[i]];
    if (part) sums.set(id, sum ? addInto(sum, part) : part);
  });
}

function forget(sums: Map<number, tf.Tensor>, id: number): void {
  sums.get(id)?.dispose();
  sums.delete(id);
}
