import * as tf from "@tensorflow/tfjs-core";
import { checkOptions } from "../error.ts";
import { type AdaptableNetwork, type Adapter, checkCount, defineAdapter, drawNormal } from "./adapter.ts";

/** Settings of a classifier. */
export interface ClassifierOptions {
  /** How many answers there are; an example's options are told apart by their places. */
  readonly classes?: number;
}

/**
 * A new classifier in place of the output matrix and its words, trained together with all of the model's weights: the paper's model without a
 * prompt (Table 5). It reads an autoregressive model's last token, and a masked one's first, `<s>`, with no mask in the text. The rest of the task's
 * prompt stays, so leave it out of the examples where there is to be none. Unlike the paper, whose RoBERTa has a new dense layer below its
 * classifier: here that is the one that the pretrained output head has. Throws a KitError for an unknown option and an invalid value.
 */
export const classifier: (options?: ClassifierOptions) => Adapter = defineAdapter(
  "classifier",
  ({ classes = 2, ...unknown }: ClassifierOptions) => {
    checkOptions("A classifier", unknown, ["classes"]);
    checkCount("A classifier", "classes", classes);
    return { options: { classes }, begin: (network, { seed }) => begin(network, classes, seed) };
  },
);

function begin(network: AdaptableNetwork, classes: number, seed: number): ReturnType<Adapter["begin"]> {
  const head = {
    weight: drawNormal(`${seed} classifier`, [classes, network.head.weight.shape[1]!]),
    bias: tf.zeros([classes]),
  };
  return {
    parameters: [
      ...network.parameters.filter((one) => isInUse(network, one)),
      { name: "classifier.weight", value: head.weight },
      { name: "classifier.bias", value: head.bias },
    ],
    adaptation: {},
    ...{ head, classes },
    dispose: () => {
      tf.dispose([head.weight, head.bias]);
      network.restore?.();
    },
  };
}

/** Whether the network runs with a weight without its own head: a tied output matrix is the embedding still. */
function isInUse(
  { head, embeddings }: AdaptableNetwork,
  { name, value }: AdaptableNetwork["parameters"][number],
): boolean {
  return embeddings.includes(name) || (value !== head.weight && value !== head.bias);
}
