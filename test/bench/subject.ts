import { objectiveFor } from "../../src/loss/objective.ts";
import type { LanguageModel } from "../../src/models/network.ts";
import type { Task } from "../../src/tasks/task.ts";
import { useBackend } from "../../src/tensor/backend.ts";
import { type Products, twoSidedProducts } from "../../src/tensor/products.ts";
import type { Objective } from "../../src/tuners/tuner.ts";
import { answersOf, benchBatch } from "./batch.ts";
import { type BenchMethod, benchMethod } from "./methods.ts";
import { benchModels, sizesOf } from "./models.ts";
import type { CaseRequest } from "./request.ts";
import { attentionFlops, type ForwardWork, forwardFlops, type ModelSizes, sharedFlops } from "./work.ts";

/** A case that is ready to be measured. */
export interface Subject {
  /** Makes one step, counted from 0. */
  readonly step: (step: number) => Promise<void>;
  /** Work of a step's passes in floating-point operations. */
  readonly flops: number;
  /** What of it is attention's. */
  readonly attentionFlops: number;
  /** How the passes' products are formed. */
  readonly products: Products;
  /** All weights, and the bytes that they are kept in. */
  readonly weights: number;
  readonly weightBytes: number;
  /** Weights that the method trains. */
  readonly trained: number;
  /** Frees model, adapter and training. */
  readonly dispose: () => void;
}

/** Loads a case's model and starts its method; `watch` may put something around the objective. */
export async function subjectOf(request: CaseRequest, watch: (objective: Objective) => Objective): Promise<Subject> {
  const { threads, noise, steps, products } = request;
  await useBackend("native", { threads, products });
  const method = benchMethod(request.method);
  const network = await benchModels[request.model]!.load(request.weights);
  const sizes = sizesOf(network);
  const { vocabulary } = sizes;
  const adapted = method.adapter?.begin(network, { seed: 1, vocabulary });
  const theta = adapted?.parameters ?? network.parameters;
  const model = { ...network, ...(adapted && { adaptation: adapted.adaptation }) } as LanguageModel;
  const { checkpointing = false, sweeps = false, microBatchSize } = method;
  const how = { checkpointing, ...(microBatchSize !== undefined && { microBatchSize }) };
  const { pair, side, ...inTurn } = objectiveFor(model, taskOf(request), how)(benchBatch(request, vocabulary));
  const beside = sweeps ? {} : { ...(pair && { pair }), ...(side && { side }) };
  const objective = watch({ ...inTurn, ...beside });
  const work = workOf(request, method, vocabulary);
  const training = method.tuner?.(noise).begin(theta);
  return {
    step: async (step) => {
      await (training ? training.step(objective, { seed: 1, step, total: steps + 1 }) : objective.value());
    },
    flops: stepFlops(sizes, method, work),
    attentionFlops: method.forwards * attentionFlops(sizes, work),
    products: twoSidedProducts(),
    weights: network.parameters.reduce((sum, { value }) => sum + value.size, 0),
    weightBytes: network.parameters.reduce((sum, { value, bytes = 4 }) => sum + bytes * value.size, 0),
    trained: training ? theta.reduce((sum, { value }) => sum + value.size, 0) : 0,
    dispose: () => {
      for (const part of [training, adapted, network]) part?.dispose();
    },
  };
}

function stepFlops(sizes: ModelSizes, { forwards, adapter }: BenchMethod, work: ForwardWork): number {
  return forwards * forwardFlops(sizes, work) - (adapter ? (forwards - 1) * sharedFlops(sizes, work) : 0);
}

function workOf({ rows, tokens, loss }: CaseRequest, { adapter }: BenchMethod, vocabulary: number): ForwardWork {
  const option = (name: string): number => Number(adapter?.options[name] ?? 0);
  const outputs = answersOf(loss) ?? vocabulary;
  return { rows, positions: tokens - 1, outputs, rank: option("rank"), prefix: option("length") };
}

/** A task that is its loss alone: the batch is at hand as token ids. */
const taskOf = ({ loss }: CaseRequest): Task => ({
  ...{ name: "benchmark", metric: "accuracy", loss, data: { files: ["arbitrary tokens"], sha256: "none" } },
  ...{ train: [], dev: [], test: [] },
});
