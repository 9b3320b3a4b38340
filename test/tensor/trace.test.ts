import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { useBackend } from "../../src/tensor/backend.ts";
import { ANY_BACKEND, constant, defineRule, fused, type Interpreter, interpret } from "../../src/tensor/trace.ts";
import { BACKEND } from "../backend.ts";

/** Carries a second value along: of the weight its triple, and of an operation what it gives of the second values. */
const triples: Interpreter<tf.Tensor, "negative"> = {
  name: "Triples",
  isWeight: (weight, { id }) => weight.id === id,
  interpret: (weight, { inputs, run }, companions, rule) => {
    const other = Object.entries(inputs).map(([name, tensor], i) => {
      return [name, tensor.id === weight.id ? constant(tf.mul(tensor, 3)) : (companions[i] ?? tensor)] as const;
    });
    const value = run(inputs);
    const companion = run(Object.fromEntries(other) as typeof inputs);
    for (const [i, [, tensor]] of other.entries()) if (Object.values(inputs)[i]!.id === weight.id) tensor.dispose();
    return { value, companion: rule ? tf.tidy(() => tf.neg(companion)) : companion };
  },
};

let runs = 0;
/** a + b, counted. */
const sum = (a: tf.Tensor, b: tf.Tensor, name = "TestSum"): tf.Tensor =>
  fused(name, { a, b }, {}, ({ a, b }) => {
    runs++;
    return tf.add(a, b);
  });

/** Both values of what `body` makes of the weight 5 and of 1; all tensors that it made are freed. */
function run(body: (weight: tf.Tensor, one: tf.Tensor) => tf.Tensor): [number, number | undefined] {
  return tf.tidy(() => {
    const [weight, one] = [tf.scalar(5), tf.scalar(1)];
    return interpret(triples, weight, (companion) => {
      const y = body(weight, one);
      return [y.dataSync()[0]!, companion(y)?.dataSync()[0]];
    });
  });
}

describe("a trace", () => {
  beforeAll(() => useBackend(BACKEND));

  test("carries companions through operations, and runs once what depends on no weight", () => {
    runs = 0;
    expect(run((weight, one) => sum(sum(one, one), sum(weight, one)))).toEqual([8, 18]);
    expect(runs).toBe(1 + 2 + 2);
    expect(run((_, one) => sum(one, one))).toEqual([2, undefined]);
  });

  test("takes a constant's companion to be none, and refuses what may have lost its companion", () => {
    expect(run((weight) => sum(weight, constant(tf.scalar(2))))).toEqual([7, 17]);
    expect(() => run((weight) => sum(weight, tf.scalar(2)))).toThrow(
      "Triples met a tensor of shape [] that no fused operation made",
    );
    expect(run((_, one) => sum(one, one))).toEqual([2, undefined]);
  });

  test("finds a rule by its operation, and on its backend before one for all", async () => {
    defineRule(triples, "TestNegative", "cpu", "negative");
    expect(run((weight, one) => sum(weight, one, "TestNegative"))).toEqual([6, 16]);
    await useBackend("cpu");
    expect(run((weight, one) => sum(weight, one, "TestNegative"))).toEqual([6, -16]);
    await useBackend(BACKEND);
    defineRule(triples, "TestAnywhere", ANY_BACKEND, "negative");
    expect(run((weight, one) => sum(weight, one, "TestAnywhere"))).toEqual([6, -16]);
  });

  test("within another is seen by that one: each carries its own companions", () => {
    const [inner, outer] = [tf.scalar(5), tf.scalar(7)];
    const found = interpret(triples, outer, (ofOuter) => {
      return interpret(triples, inner, (ofInner) => {
        const y = sum(inner, outer);
        const values = [y, ofInner(y)!, ofOuter(y)!].map((tensor) => tensor.dataSync()[0]);
        y.dispose();
        return values;
      });
    });
    expect(found).toEqual([12, 22, 26]);
    tf.dispose([inner, outer]);
  });

  test("frees the companion of a tensor that is gone, at the latest in the end", () => {
    const weight = tf.scalar(5);
    const before = tf.memory().numTensors;
    interpret(triples, weight, () => {
      for (let i = 0; i < 10; i++) sum(weight, weight).dispose();
      expect(tf.memory().numTensors).toBe(before + 1); // the last companion, until the next operation
    });
    expect(tf.memory().numTensors).toBe(before);
    weight.dispose();
  });
});
