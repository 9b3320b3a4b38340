import { availableParallelism } from "node:os";
import { KitError } from "../../error.ts";
import { isHalves, type Source, sizeOf } from "../halves/format.ts";
import { narrow, widened } from "../halves/halves.ts";
import { addGaussian } from "./gaussian.ts";
import type { Distribution, NoiseKey } from "./key.ts";
import { addRademacher } from "./rademacher.ts";
import { NoiseThreads } from "./threads.ts";
import { type Piece, wasmSweep } from "./wasm.ts";
import { PIECE } from "./webassembly.ts";

/** A tensor to add noise to: its elements, the key of its z, and the factor that the elements are multiplied by first (default 1). */
export interface SweepEntry {
  readonly theta: Source;
  readonly key: NoiseKey;
  readonly keep?: number;
}

/** Elements of a tensor whose two sides are wanted: those from `from` up to `to`, the first of them at the first of plus and minus. */
export interface SpreadEntry {
  readonly theta: Source;
  readonly from: number;
  readonly to: number;
  readonly key: NoiseKey;
  readonly plus: Float32Array;
  readonly minus: Float32Array;
}

const GROUP = 2048; // elements; pieces begin where a whole group of any law does
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
  const normals = entries.reduce((sum, { theta }) => sum + sizeOf(theta), 0);
  const whole = entries.map(({ theta, key, keep = 1 }) => ({ theta, from: 0, to: sizeOf(theta), key, keep }));
  work(normals, distribution, pieces(whole, scale, distribution));
}

/**
 * plus[i - from] = theta[i] + scale * z[i] and minus[i - from] = theta[i] - scale * z[i] in float32 for the elements of each entry, theta
 * staying as it is: z is made once for both. The z are those of `sweepMany`. What is written may not overlap.
 */
export function spreadMany(entries: readonly SpreadEntry[], scale: number, distribution: Distribution): void {
  const normals = entries.reduce((sum, { from, to }) => sum + to - from, 0);
  const both = entries.map(({ plus, minus, ...entry }) => ({ ...entry, sides: { first: entry.from, plus, minus } }));
  work(normals, distribution, pieces(both, scale, distribution));
}

let milliseconds = 0;

/** Seconds that `sweepMany` and `spreadMany` took since the process began. */
export function secondsInNoise(): number {
  return milliseconds / 1e3;
}

function work(normals: number, distribution: Distribution, all: Iterable<Piece>): void {
  const started = performance.now();
  here ??= wasmSweep() ?? plainSweep;
  // Signs are made faster than they are copied, and only the caller can copy: other threads would not help.
  const helpers = distribution === "gaussian" && here !== plainSweep ? helperThreads(normals) : undefined;
  for (const piece of all) {
    if (!helpers?.post(piece)) here(piece);
  }
  helpers?.finish(here);
  milliseconds += performance.now() - started;
}

type Stretch = Pick<Piece, "theta" | "from" | "to" | "key" | "sides"> & { readonly keep?: number };

function* pieces(stretches: readonly Stretch[], scale: number, distribution: Distribution): Generator<Piece> {
  for (const { from: first, to, keep = 1, ...stretch } of stretches) {
    for (let from = first - (first % GROUP); from < to; from += PIECE)
      yield { ...stretch, from, to: Math.min(from + PIECE, to), scale, keep, distribution };
  }
}

function helperThreads(normals: number): NoiseThreads | undefined {
  if (wanted === 1 || normals < WORTH_THREADS) return undefined;
  try {
    threads ??= new NoiseThreads(wanted - 1);
  } catch {
    wanted = 1; // no workers or no shared memory here: one thread does it all
  }
  return threads;
}

function plainSweep(piece: Piece): void {
  const { from, to, key, scale, keep, distribution, sides } = piece;
  const add = distribution === "gaussian" ? addGaussian : addRademacher;
  const theta = isHalves(piece.theta) ? widened(piece.theta) : piece.theta;
  if (!sides) {
    add(theta.subarray(from, to), scale, key, from, keep);
    if (isHalves(piece.theta)) narrow(theta.subarray(from, to), piece.theta, from, key);
    return;
  }
  const { first, plus, minus } = sides;
  const start = Math.max(first, from);
  for (const [side, way] of [[plus, scale] as const, [minus, -scale] as const]) {
    const there = theta.slice(from, to);
    add(there, way, key, from);
    side.set(there.subarray(start - from), start - first);
  }
}
