import { BUNDLED_MODEL, loadModel } from "../../src/models/load.ts";
import type { LoadedNetwork } from "../../src/models/network.ts";
import type { WeightFormat } from "../../src/models/weights.ts";
import { randomNetwork } from "./randomNetwork.ts";
import { modelShapes } from "./shapes.ts";
import type { ModelSizes } from "./work.ts";

/** A model that is measured. */
export interface BenchModel {
  /** What it is, for a heading, and its weights in millions, for a guess of the time. */
  readonly title: string;
  readonly millions: number;
  readonly load: (weights: WeightFormat) => Promise<LoadedNetwork>;
}

const random = Object.fromEntries(
  Object.entries(modelShapes).map(([key, { name, millions, family, config }]): [string, BenchModel] => [
    key,
    {
      ...{ title: `${name}'s shape with random weights`, millions },
      load: async (weights) => randomNetwork(family, config, weights),
    },
  ]),
);

/** The models of the table where none are named. */
export const tableModels: readonly string[] = ["opt-125m", "bundled"];

/** The models by the names that `--model` takes, those of the table first. */
export const benchModels: Readonly<Record<string, BenchModel>> = {
  "opt-125m": random["opt-125m"]!,
  bundled: {
    ...{ title: `the bundled model ${BUNDLED_MODEL} with its weights`, millions: 6 },
    load: (weights) => loadModel(BUNDLED_MODEL, { weights }),
  },
  ...random,
};

/** The sizes of a decoder, from its weights. */
export function sizesOf({
  parameters,
  layers,
  keyWidth,
}: Pick<LoadedNetwork, "parameters" | "layers" | "keyWidth">): ModelSizes {
  const shape = (end: string): number[] | undefined => parameters.find(({ name }) => name.endsWith(end))?.value.shape;
  const [vocabulary, wordWidth] = shape("embed_tokens.weight")!;
  const [feedForward, width] = (shape("layers.0.fc1.weight") ?? shape("layers.0.mlp.up_proj.weight"))!;
  const isGated = shape("layers.0.mlp.gate_proj.weight") !== undefined;
  return {
    ...{ layers: layers.length, width: width!, feedForward: feedForward!, vocabulary: vocabulary! },
    ...{ keyWidth, wordWidth: wordWidth!, isGated },
  };
}
