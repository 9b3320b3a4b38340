import { readFileSync, writeFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { countTokens } from "../loss/candidates.ts";
import { TOKENS_PER_PASS } from "../loss/passes.ts";
import { EXAMPLES_PER_REPORT } from "../loss/score.ts";
import type { Cost, PredictedBytes } from "../record/run.ts";
import { deviceMemory, runtimeBytes } from "../tensor/backend.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { elementsAtOnce } from "../tensor/tensorflow/storage.ts";
import { LEAST_POOL } from "../tensor/webgpu/memory.ts";
import type { EncodedExample } from "../text/prompt.ts";
import type { Resident, Tuner } from "../tuners/tuner.ts";
import {
  type Execution,
  readSizes,
  resultsOfTiles,
  resultsOfWhole,
  type SizedNetwork,
  temporariesOfTiles,
} from "./resultSizes.ts";

/**
 * Resets the peaks, so that `measureCost` measures what follows. That of the process only Linux can reset; elsewhere it is of the whole
 * process, and a run that needs its own peak must have its own process.
 */
export function resetPeak(): void {
  deviceMemory()?.resetPeak();
  try {
    writeFileSync("/proc/self/clear_refs", "5");
  } catch {
    // No such file, or not writable: the peak stays that of the process.
  }
}

/** Peak resident memory of this process in bytes, since `resetPeak` where the system supports it. */
export function peakBytes(): number {
  try {
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"));
    if (peak) return Number(peak[1]) * 1024;
  } catch {
    // Not Linux.
  }
  return process.resourceUsage().maxRSS * 1024;
}

/** The cost of a run that began at `started` (performance.now()), with the largest of several predictions of its memory. */
export function measureCost(started: number, steps: number, predictions: readonly PredictedBytes[]): Cost {
  const widest = predictions.reduce((a, b) => (totalBytes(b) > totalBytes(a) ? b : a));
  const device = deviceMemory();
  return {
    ...{ seconds: (performance.now() - started) / 1e3, steps, peakBytes: peakBytes() },
    ...(device && { devicePeakBytes: device.peak() }),
    predicted: device ? widest : { ...widest, runtime: runtimeBytes() ?? 0 },
  };
}

export type { Execution };

/** How a backend forms an operation's weights for a pass over both sides, and in what it computes products. */
export interface Forming {
  /** By the kit's own kernels a tile at a time; whole in the numbers that weights are kept in, as on a GPU; or whole in float32, as elsewhere. */
  readonly weights: "in tiles" | "as kept" | "in float32";
  /** Elements of z that are made together, where that takes an operation after the other, each of which leaves its result. */
  readonly noiseAtOnce: number;
  /** Whether memory that results gave back waits for its next use. */
  readonly isPooled: boolean;
}

/** How a backend forms weights, on a GPU or not. */
export function formingOf(backend: string, isOnGpu: boolean): Forming {
  if (backend === "native") return { weights: "in tiles", noiseAtOnce: 0, isPooled: false };
  const noiseAtOnce = backend === "tensorflow" ? elementsAtOnce(isOnGpu) : 0;
  return { weights: isOnGpu ? "as kept" : "in float32", noiseAtOnce, isPooled: backend === "webgpu" };
}

const formingInUse = (): Forming => formingOf(tf.getBackend(), deviceMemory() !== undefined);

/** What the prediction of a run's memory depends on. */
export interface PlannedRun {
  readonly network: SizedNetwork;
  /** The weights that are tuned; empty where none are. */
  readonly theta: readonly Parameter[];
  readonly execution: Execution;
  /** Tokens of each example of the largest batch that is run at once. */
  readonly lengths: readonly number[];
  readonly resident: Resident;
  /** That of the backend in use where it is left out. */
  readonly forming?: Forming;
}

/** What MeZO holds beside the weights, and so does scoring: nothing. */
export const NOTHING: Resident = { gradients: 0, optimizer: 0 };

/** What a tuner holds beside these weights. */
export function residentOf(
  { resident = NOTHING }: Partial<Pick<Tuner, "resident">>,
  theta: readonly Parameter[],
): Resident {
  return typeof resident === "function" ? resident(theta) : resident;
}

/** Scoring with the present weights. */
export function scoringPlan(network: PlannedRun["network"], lengths: readonly number[]): PlannedRun {
  return { network, theta: [], execution: "forward", lengths, resident: NOTHING };
}

const FLOAT_BYTES = 4;

/** The predicted bytes of a run, from nothing but the shapes of its weights and the tokens of its widest pass. */
export function predictBytes(run: PlannedRun): PredictedBytes {
  const { network, theta, execution, lengths, resident, forming = formingInUse() } = run;
  const adapter = theta.filter((weight) => !network.parameters.includes(weight));
  const thetaBytes = FLOAT_BYTES * elements(theta);
  const sizes = readSizes(network, adapter);
  const longest = Math.max(0, ...lengths);
  const tokens = Math.max(Math.min(TOKENS_PER_PASS, sum(lengths)), longest); // an example alone is never divided
  const results =
    forming.weights === "in tiles"
      ? tokens * resultsOfTiles[execution](sizes)
      : resultsOfWhole[execution](sizes, { tokens, longest });
  const weights = sum([...network.parameters, ...adapter].map(countBytes));
  const activations = FLOAT_BYTES * results + (forming.isPooled ? pooledBytes(FLOAT_BYTES * results, weights) : 0);
  return {
    weights,
    activations,
    temporaries: TEMPORARIES[forming.weights](run, activations, forming),
    gradients: resident.gradients * thetaBytes,
    optimizer: forming.weights === "as kept" ? 0 : resident.optimizer * thetaBytes, // tuners keep it in the process
  };
}

/** What results that were freed take on webgpu, until they are used again: 1.4 times as much, as counted, or all that its pool may hold. */
const pooledBytes = (results: number, weights: number): number =>
  Math.min(1.4 * results, Math.max(LEAST_POOL, (results + weights) / 2));

/** All parts together. */
export function totalBytes(parts: PredictedBytes): number {
  return sum(Object.values(parts));
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const elements = (weights: readonly Parameter[]): number => sum(weights.map(({ value }) => value.size));
const countBytes = ({ value, bytes }: Parameter): number => value.size * (bytes ?? FLOAT_BYTES);

/** Bytes of weights' copies beside so many of results. */
type Temporaries = (run: PlannedRun, activations: number, forming: Forming) => number;

const TEMPORARIES: Readonly<Record<Forming["weights"], Temporaries>> = {
  "in tiles": (run) => FLOAT_BYTES * temporariesOfTiles(run),
  "as kept": wholeSides(countBytes, () => 0),
  "in float32": wholeSides(
    ({ value }) => FLOAT_BYTES * value.size,
    ({ value, bytes }) => (bytes === 2 ? FLOAT_BYTES * value.size : 0),
  ),
};

/** Results of the operations that make z, as many as are there at once. */
const NOISE_RESULTS = 5;

/**
 * Both sides of an operation's weights, with their noise in the making, and what products with a weight itself are formed from: of a layer's
 * widest operation beside the results, or of a table of embeddings, when there are hardly any; or the noise of a move of all weights, after them.
 */
function wholeSides(side: (weight: Parameter) => number, copy: (weight: Parameter) => number): Temporaries {
  return ({ network, theta, execution }, activations, { noiseAtOnce }) => {
    const moved = new Set(execution === "pair" ? theta : []);
    const noise = (weights: readonly Parameter[]): number =>
      NOISE_RESULTS * FLOAT_BYTES * Math.min(noiseAtOnce, elements(weights));
    const formed = (weight: Parameter): number => (moved.has(weight) ? 2 * side(weight) : copy(weight));
    const tables = network.parameters.filter((weight) => network.embeddings.includes(weight.name) && moved.has(weight));
    return Math.max(
      widestOperation(network, formed) + noise(widestMatrix(network, moved)),
      ...tables.map((table) => formed(table) + noise([table]) - activations),
      noise([...moved]) - activations,
    );
  };
}

const layerMatrices = ({ parameters, layers }: SizedNetwork): Parameter[] =>
  parameters.filter(({ name, value }) => layers[0]!.parameters.includes(name) && value.rank === 2);

/** The largest of a layer's matrices that are moved, where any is. */
function widestMatrix(network: SizedNetwork, moved: ReadonlySet<Parameter>): Parameter[] {
  const matrices = layerMatrices(network).filter((weight) => moved.has(weight));
  return matrices.toSorted((a, b) => b.value.size - a.value.size).slice(0, 1);
}

/** The bytes of the weights of a layer's widest operation: of a matrix, or of both of a feed-forward part that is one operation. */
function widestOperation(network: SizedNetwork, bytes: (weight: Parameter) => number): number {
  const matrices = layerMatrices(network);
  const widest = Math.max(...matrices.map(({ value }) => value.size));
  const alike = matrices.filter(({ value }) => value.size === widest);
  return alike.length === 2 ? sum(alike.map(bytes)) : Math.max(0, ...matrices.map(bytes));
}

/** Token counts of the longest examples: of as many as are run at once, `most` in training. */
export function findLongest(examples: readonly EncodedExample[], most: number = EXAMPLES_PER_REPORT): number[] {
  return examples
    .map((example) => example.shared?.ids.length ?? countTokens(example))
    .sort((a, b) => b - a)
    .slice(0, most);
}
