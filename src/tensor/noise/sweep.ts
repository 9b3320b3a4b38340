import { availableParallelism } from "node:os";
import { KitError } from "../../error.ts";
import { addGaussian } from "./gaussian.ts";
import type { Distribution, NoiseKey } from "./key.ts";
import { addRademacher } from "./rademacher.ts";
import { NoiseThreads } from "./threads.ts";
import { PIECE, type Piece, wasmSweep } from "./wasm.ts";

/** A tensor to add noise to: its elements, the key of its z, and the factor that the elements are multiplied by first (default 1). */
export interface SweepEntry {
  readonly theta: Float32Array;
  readonly key: NoiseKey;
  readonly keep?: number;
}

const WORTH_THREADS = 1 << 17; // normals; below, waking another thread costs more than it saves
const MOST_THREADS = 6; // the calling thread copies for all of them, and more than this would wait for it

let wanted = Math.min(availableParallelism(), MOST_THREADS);
let threads: NoiseThreads | undefined;
let here: ((piece: Piece) => void) | undefined;

/** Sets on how many threads sweeps run from now on, the calling one included; more than 6 count as 6. The bits never depend on it. */
export function setNoiseThreads(n: number): void {
  if (!Number.isInteger(n) || n < 1)
    throw new KitError(`The number of noise threads must be an integer from 1 on, not ${n}.`);
  const next = Math.min(n, MOST_THREADS);
  if (next === wanted) return;
  threads?.stop();
  threads = undefined;
  wanted = next;
}

/**
 * theta[i] = theta[i] * keep + scale * z[i] in float32, in place, for all tensors of a model at once (PerturbParameters of
 * Algorithm 1). No two entries may share elements: they are swept at the same time.
 */
export function sweepMany(entries: readonly SweepEntry[], scale: number, distribution: Distribution): void {
  here ??= wasmSweep() ?? plainSweep;
  // Signs are made faster than they are copied, and only the caller can copy: other threads would not help.
  const helpers = distribution === "gaussian" && here !== plainSweep ? helperThreads(entries) : undefined;
  for (const entry of entries) {
    for (const piece of pieces(entry, scale, distribution)) {
      if (!helpers?.post(piece)) here(piece);
    }
  }
  helpers?.finish(here);
}

function* pieces(entry: SweepEntry, scale: number, distribution: Distribution): Generator<Piece> {
  const { theta, key, keep = 1 } = entry;
  for (let from = 0; from < theta.length; from += PIECE) {
    yield { theta, from, to: Math.min(from + PIECE, theta.length), key, scale, keep, distribution };
  }
}

function helperThreads(entries: readonly SweepEntry[]): NoiseThreads | undefined {
  const normals = entries.reduce((sum, { theta }) => sum + theta.length, 0);
  if (wanted === 1 || normals < WORTH_THREADS) return undefined;
  try {
    threads ??= new NoiseThreads(wanted - 1);
  } catch {
    wanted = 1; // no workers or no shared memory here: one thread does it all
  }
  return threads;
}

function plainSweep({ theta, from, to, key, scale, keep, distribution }: Piece): void {
  const add = distribution === "gaussian" ? addGaussian : addRademacher;
  add(theta.subarray(from, to), scale, key, from, keep);
}
