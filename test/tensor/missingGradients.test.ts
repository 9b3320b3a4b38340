import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { gradients } from "../../src/tensor/gradients.ts";

test("of an operation that the kit has no gradient of, the error says where there is one", () => {
  tf.tidy(() => {
    const x = tf.ones([2]);
    expect(() => gradients(() => tf.tan(x), [x])).toThrow(
      "A network was to be differentiated, but the kit has no gradient of TensorFlow.js's operation Tan: npm install @tensorflow/tfjs, and import it before the network runs, for the gradients of all operations.",
    );
  });
});
