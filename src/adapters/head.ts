import * as tf from "@tensorflow/tfjs-core";
import { type Adapter, defineAdapter } from "./adapter.ts";

/**
 * Trains a copy of the output matrix alone: the paper's linear probing where answers are texts (Table 1, Appendix E.4). A matrix tied to
 * the embedding is trained as the output only.
 */
export const headTuning: () => Adapter = defineAdapter("head", () => ({
  options: {},
  begin: ({ head }) => {
    const weight = tf.mul(head.weight, 1);
    return {
      parameters: [{ name: "lm_head.weight", value: weight }],
      adaptation: {},
      head: { ...head, weight },
      dispose: () => weight.dispose(),
    };
  },
}));
