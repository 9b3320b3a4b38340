import * as tf from "@tensorflow/tfjs-core";
import { add } from "../../src/kernels/elementwise.ts";
import { embed } from "../../src/kernels/embed.ts";
import { layerNorm } from "../../src/kernels/norm.ts";
import type { Config } from "../../src/models/config.ts";
import { defineFamily, type ModelFamily } from "../../src/models/family.ts";
import { attend, feedForwardPart, project, readProjection, type Weights } from "../../src/nn/layers.ts";
import type { Layer } from "../../src/nn/network.ts";

/** The fields of the family's config.json. */
interface ParallelConfig {
  readonly vocab_size: number;
  readonly width: number;
  readonly layers: number;
}

const read = (config: Config): ParallelConfig => config as unknown as ParallelConfig;

const LINEAR = ["query", "key", "value", "out", "up", "down"];

const layerShapes = (width: number): [name: string, shape: number[]][] => [
  ["norm.weight", [width]],
  ["norm.bias", [width]],
  ...LINEAR.flatMap((name): [string, number[]][] => [
    [`${name}.weight`, [width, width]],
    [`${name}.bias`, [width]],
  ]),
];

function layer(weights: Weights, at: string, width: number): Layer {
  const [query, key, value, out, up, down] = LINEAR.map((name) => readProjection(weights, `${at}.${name}`));
  return {
    parameters: layerShapes(width).map(([name]) => `${at}.${name}`),
    query: query!.name,
    value: value!.name,
    run: (x, context) => {
      const seen = layerNorm(x, weights(`${at}.norm.weight`), weights(`${at}.norm.bias`));
      const [k, v] = [project(seen, key!, context), project(seen, value!, context)];
      const own = context.wanted(seen);
      const mixed = attend(project(own, query!, context), k, v, context, { heads: 2, causal: true });
      const attended = project(mixed, out!, context, { residual: context.wanted(x) });
      return feedForwardPart(own, { up: up!, down: down!, activation: "gelu" }, context, attended);
    },
  };
}

/** A model family written by a user: each layer's attention and feed-forward part see the same input, and words have no positions. */
export const parallel: ModelFamily = defineFamily("parallel", {
  shapes: (config) => {
    const { vocab_size, width, layers } = read(config);
    return new Map<string, readonly number[]>([
      ["words", [vocab_size, width]],
      ...Array.from({ length: layers }, (_, i) =>
        layerShapes(width).map(([name, shape]) => [`blocks.${i}.${name}`, shape] as const),
      ).flat(),
    ]);
  },
  canonicalName: (found) => found,
  build: (config, weights) => {
    const { width, layers } = read(config);
    const places = Array.from({ length: layers }, (_, i) => `blocks.${i}`);
    return {
      embedding: ({ ids }) => embed(tf.tensor1d(ids, "int32"), weights("words")),
      embeddings: ["words"],
      gains: places.map((at) => `${at}.norm.weight`),
      layers: places.map((at) => layer(weights, at, width)),
      output: (x) => add(x, x),
      head: { weight: weights("words") },
      keyWidth: width,
      keyHeads: 2,
      prompts: "autoregressive",
    };
  },
  limits: () => ({ maxLength: 64, begin: { mezo: 0, config: 0 }, ends: [] }),
  prompts: "autoregressive",
});
