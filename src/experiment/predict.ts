import type { AdaptableNetwork } from "../adapters/adapter.ts";
import { loraNames } from "../adapters/lora.ts";
import { COLUMNS_AT_ONCE } from "../kernels/feedForwardTiles.ts";
import { isFormedInParts } from "../kernels/matrix.ts";
import { countTokens } from "../loss/candidates.ts";
import { TOKENS_PER_PASS } from "../loss/passes.ts";
import { EXAMPLES_PER_REPORT } from "../loss/score.ts";
import type { PredictedBytes } from "../record/run.ts";
import type { BackendName } from "../tensor/backend.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { EncodedExample } from "../text/prompt.ts";
import type { Resident } from "../tuners/tuner.ts";

/** How a batch is run through the network: forward alone, both sides at once, or with its gradient. */
export type Execution = "forward" | "pair" | "backward" | "checkpointed";

/** What the prediction of a run's memory depends on. */
export interface PlannedRun {
  readonly network: Pick<AdaptableNetwork, "parameters" | "layers" | "embeddings" | "keyWidth">;
  /** The weights that are tuned; empty where none are. */
  readonly theta: readonly Parameter[];
  readonly execution: Execution;
  /** Tokens of each example of the largest batch that is run at once. */
  readonly lengths: readonly number[];
  readonly resident: Resident;
  /** Where it is computed; the backend in use where that is left out. */
  readonly backend?: BackendName;
}

/** What MeZO holds beside the weights, and so does scoring: nothing. */
export const NOTHING: Resident = { gradients: 0, optimizer: 0 };

/** Scoring with the present weights. */
export function scoringPlan(network: PlannedRun["network"], lengths: readonly number[]): PlannedRun {
  return { network, theta: [], execution: "forward", lengths, resident: NOTHING };
}

const FLOAT_BYTES = 4;

/** The predicted bytes of a run, from nothing but the shapes of its weights and the tokens of its widest pass. */
export function predictBytes({ network, theta, execution, lengths, resident }: PlannedRun): PredictedBytes {
  const adapter = theta.filter((weight) => !network.parameters.includes(weight));
  const thetaBytes = FLOAT_BYTES * elements(theta);
  const tokens = Math.max(Math.min(TOKENS_PER_PASS, sum(lengths)), ...lengths); // an example alone is never divided
  return {
    weights: sum([...network.parameters, ...adapter].map(countBytes)),
    activations: FLOAT_BYTES * tokens * ACTIVATIONS[execution](readSizes(network, adapter)),
    temporaries: FLOAT_BYTES * temporaries(network, theta, execution),
    gradients: resident.gradients * thetaBytes,
    optimizer: resident.optimizer * thetaBytes,
  };
}

/** All parts together. */
export function totalBytes(parts: PredictedBytes): number {
  return sum(Object.values(parts));
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const elements = (weights: readonly Parameter[]): number => sum(weights.map(({ value }) => value.size));
const countBytes = ({ value, bytes }: Parameter): number => value.size * (bytes ?? FLOAT_BYTES);

/**
 * Widths of a network's results: of a layer, of its keys, of all that its feed-forward part computes, of what that holds at once and of what it
 * keeps for a backward pass; and its number of layers.
 */
interface Sizes {
  readonly width: number;
  readonly keys: number;
  readonly wide: number;
  readonly held: number;
  readonly kept: number;
  readonly layers: number;
}

function readSizes({ parameters, layers, keyWidth }: PlannedRun["network"], adapter: readonly Parameter[]): Sizes {
  const shapes = new Map(parameters.map(({ name, value }) => [name, value.shape]));
  const { query, parameters: own } = layers[0]!;
  const width = shapes.get(`${query}.weight`)![1]!;
  const matrices = [...shapes].filter(([name, shape]) => own.includes(name) && shape.length === 2);
  const widest = Math.max(...matrices.map(([, [out]]) => out!));
  const upwards = matrices.filter(([, [out]]) => out === widest).map(([name]) => name.replace(/\.weight$/, ""));
  const wide = widest === width ? width : upwards.length * widest;
  const sizes = { width, keys: keyWidth, layers: layers.length };
  // What an adapter adds to a wide result is as wide, and so is their sum: none of them is computed in tiles.
  if (upwards.some((name) => adapter.some((weight) => weight.name === loraNames(name).a)))
    return { ...sizes, wide: 2 * wide, held: 3 * wide, kept: 2 * wide };
  if (wide > widest) return { ...sizes, wide, held: wide, kept: wide }; // with a gate both are held whole
  return { ...sizes, wide, held: Math.min(widest, COLUMNS_AT_ONCE), kept: 0 }; // computed again, a tile at a time
}

/**
 * Elements a token that are alive at once. The attention part is freed before the feed-forward part begins. The kit's own kernels pack the
 * input of a product beside it.
 */
function forwardElements({ width, keys, held }: Sizes): number {
  return Math.max(5 * width + 2 * keys, 4 * width + held) + (isFormedInParts(width) ? width : 0);
}

/** Elements a token that a layer's backward pass needs again. */
const savedElements = ({ width, keys, kept }: Sizes): number => 6 * width + 2 * keys + kept;

const ACTIVATIONS: Readonly<Record<Execution, (sizes: Sizes) => number>> = {
  forward: forwardElements,
  pair: (sizes) => 2 * forwardElements(sizes),
  backward: (sizes) => sizes.layers * savedElements(sizes) + 2 * sizes.wide, // of the last layer the wide result and its gradient too
  checkpointed: (sizes) => (sizes.layers + 3) * sizes.width + savedElements(sizes) + 2 * sizes.wide,
};

/** Elements of weights' copies. An embedding is formed by rows and tiles, which are no larger. */
function temporaries(
  { parameters, embeddings }: PlannedRun["network"],
  theta: readonly Parameter[],
  execution: Execution,
): number {
  const largestMatrix = (weights: readonly Parameter[]): number => {
    const matrices = weights.filter(
      ({ name, value }) => value.rank === 2 && !embeddings.includes(name) && !isFormedInParts(value.shape[1]!),
    );
    return Math.max(0, ...matrices.map(({ value }) => value.size));
  };
  const halves = parameters.filter(({ bytes }) => bytes === 2);
  const moved = execution === "pair" ? theta : [];
  return 2 * largestMatrix(moved) + largestMatrix(halves);
}

/** Token counts of the longest examples: of as many as are run at once, `most` in training. */
export function findLongest(examples: readonly EncodedExample[], most: number = EXAMPLES_PER_REPORT): number[] {
  return examples
    .map((example) => example.shared?.ids.length ?? countTokens(example))
    .sort((a, b) => b - a)
    .slice(0, most);
}
