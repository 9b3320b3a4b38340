import * as tf from "@tensorflow/tfjs-core";
import type { StoredTensor } from "../../src/checkpoints/safetensors.ts";
import type { Config } from "../../src/models/config.ts";
import { BUNDLED_MODEL, loadModel } from "../../src/models/load.ts";
import type { LoadedNetwork } from "../../src/models/network.ts";
import { opt } from "../../src/models/opt.ts";
import { drawUntrained } from "../../src/models/save.ts";
import { type WeightFormat, weightMaker } from "../../src/models/weights.ts";
import type { Parameter } from "../../src/tensor/parameter.ts";
import type { ModelSizes } from "./work.ts";

/** A model that is measured. */
export interface BenchModel {
  /** What it is, for a heading. */
  readonly title: string;
  readonly load: (weights: WeightFormat) => Promise<LoadedNetwork>;
}

/** The shape of OPT-125M (Zhang et al. 2022). */
const OPT_125M: Config = {
  vocab_size: 50272,
  hidden_size: 768,
  num_hidden_layers: 12,
  ffn_dim: 3072,
  num_attention_heads: 12,
  max_position_embeddings: 2048,
};

/** The models of the table, by the names that `--model` takes. */
export const benchModels: Readonly<Record<string, BenchModel>> = {
  "opt-125m": {
    title: "OPT-125M's shape with random weights",
    load: async (weights) => randomNetwork(OPT_125M, weights),
  },
  bundled: {
    title: `the bundled model ${BUNDLED_MODEL} with its weights`,
    load: (weights) => loadModel(BUNDLED_MODEL, { weights }),
  },
};

/** An OPT whose weights were never trained. */
function randomNetwork(config: Config, weights: WeightFormat): LoadedNetwork {
  const make = weightMaker({ weights });
  const zeros = (shape: readonly number[]): StoredTensor => ({
    ...{ path: "none", dtype: "F32", shape },
    read: (into) => void into.fill(0),
  });
  const parameters = [...opt.shapes(config)].map(
    ([name, shape]): Parameter => ({ name, ...make(zeros(shape), shape, name) }),
  );
  const byName = new Map(parameters.map(({ name, value }) => [name, value]));
  const network = opt.build(config, (name) => byName.get(name)!);
  const restore = (): void => drawUntrained({ parameters, ...network }, 7);
  restore();
  return {
    parameters,
    ...opt.limits(config),
    ...network,
    restore,
    dispose: () => tf.dispose(parameters.map(({ value }) => value)),
  };
}

/** The sizes of an OPT whose embeddings are as wide as its layers, from its weights. */
export function sizesOf({ parameters, layers }: Pick<LoadedNetwork, "parameters" | "layers">): ModelSizes {
  const shape = (end: string): number[] => parameters.find(({ name }) => name.endsWith(end))!.value.shape;
  const [vocabulary, width] = shape("embed_tokens.weight");
  const [feedForward] = shape("layers.0.fc1.weight");
  return { layers: layers.length, width: width!, feedForward: feedForward!, vocabulary: vocabulary! };
}
