import * as tf from "@tensorflow/tfjs-core";
import { sharedPrompts } from "../../src/loss/candidates.ts";
import { batches, encodeBatch, type LabelledBatch } from "../../src/loss/encode.ts";
import { lossFromScores } from "../../src/loss/loss.ts";
import { objectiveFor } from "../../src/loss/objective.ts";
import { loadModel, openModel } from "../../src/models/load.ts";
import type { LanguageModel } from "../../src/models/network.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { storage } from "../../src/tensor/backend.ts";
import { type Draw, gaussian, zerosLike } from "../../src/tensor/parameter.ts";
import { type Products, setProducts } from "../../src/tensor/products.ts";
import type { Doubles } from "./double.ts";
import { type DoubleConfig, type DoubleWeights, doubleLogits } from "./doubleModels.ts";

/** What projected gradients are compared on: so many directions, each on a batch of its own, of the bundled sentences. */
export interface AccuracyRequest {
  readonly models: readonly string[];
  readonly eps: readonly number[];
  readonly products: readonly Products[];
  readonly directions: number;
  readonly rows: number;
  readonly seed: number;
}

/** The projected gradient along one z: in double precision, and as each kind of products gives it. */
export interface Measured {
  readonly model: string;
  readonly eps: number;
  readonly direction: number;
  readonly reference: number;
  readonly found: Readonly<Partial<Record<Products, number>>>;
}

/** Measures the directions of a model from `first` on, each at every eps. */
export async function* measureAccuracy(
  id: string,
  { eps, products, directions, rows, seed }: AccuracyRequest,
  first: number,
): AsyncGenerator<readonly Measured[]> {
  const model = await loadModel(id);
  const { checkpoint } = await openModel(id);
  const task = await loadTask("SST-2", { train: 1000, dev: 8, test: 8, seed });
  const batchAt = batches(encodeBatch(model, task.train, "mezo"), rows, seed);
  const objectiveOf = objectiveFor(model, task, {});
  const reference = referenceOf(model, checkpoint.config as unknown as DoubleConfig);
  for (let direction = first; direction < directions; direction++) {
    const [batch, z] = [batchAt(direction), { seed, step: direction }];
    const { pair } = objectiveOf(batch);
    const exact = reference(batch, z);
    const found = async (kind: Products, each: number): Promise<number> => {
      setProducts(kind);
      const { lossPlus, lossMinus } = await pair!(model.parameters, { law: "gaussian", eps: each, z });
      return (lossPlus - lossMinus) / (2 * each);
    };
    const measured: Measured[] = [];
    for (const each of eps) {
      const values: [Products, number][] = [];
      for (const kind of products) values.push([kind, await found(kind, each)]);
      measured.push({ model: id, eps: each, direction, reference: exact(each), found: Object.fromEntries(values) });
    }
    yield measured;
  }
  setProducts(undefined);
  model.dispose();
}

/** Gives projected gradients in double precision, for a batch and a z at any eps. */
function referenceOf(
  model: LanguageModel,
  config: DoubleConfig,
): (batch: LabelledBatch, z: Draw) => (eps: number) => number {
  const { parameters } = model;
  const places = parameters.map(({ value }) => new Float64Array(value.size));
  const weights: DoubleWeights = new Map(parameters.map(({ name }, i) => [name, places[i]!]));
  const view = storage().view!;
  return (batch, draw) => {
    const zeros = zerosLike(parameters);
    gaussian(zeros, 1, draw);
    const z = zeros.map(({ value }) => view(value).slice());
    tf.dispose(zeros.map(({ value }) => value));
    const lossAt = (scale: number): number => {
      parameters.forEach(({ value }, i) => displace(view(value), z[i]!, scale, places[i]!));
      return lossOf(batch, config, weights);
    };
    return (eps) => (lossAt(eps) - lossAt(-eps)) / (2 * eps);
  };
}

/** into = theta + scale · z, without rounding to float32. */
function displace(theta: Float32Array, z: Float32Array, scale: number, into: Doubles): void {
  for (let i = 0; i < into.length; i++) into[i] = theta[i]! + scale * z[i]!;
}

/** The task's loss of a batch, in double precision. */
function lossOf({ examples, gold }: LabelledBatch, config: DoubleConfig, weights: DoubleWeights): number {
  const scores = sharedPrompts(examples)!.map((prompt) => doubleLogits(config, weights, prompt));
  return lossFromScores("candidates", scores, gold);
}
