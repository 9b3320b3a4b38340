import { availableParallelism } from "node:os";
import { KitError } from "../../error.ts";
import { isHalves, narrow, type Source, sizeOf, widened } from "../halves.ts";
import { addGaussian } from "./gaussian.ts";
import type { Distribution, NoiseKey } from "./key.ts";
import { addRademacher } from "./rademacher.ts";
import { LAYOUT, NoiseThreads } from "./threads.ts";
import { type Move, type Piece, type Sides, wasmSweep } from "./wasm.ts";
import { PIECE } from "./webassembly.ts";

/** A tensor to add noise to: its elements, the key of its z, and the factor that the elements are multiplied by first (default 1). */
export interface SweepEntry {
  readonly theta: Source;
  readonly key: NoiseKey;
  readonly keep?: number;
}

/** A tensor, or elements of one that begin at its `offset`-th (a multiple of 2048), and what becomes of it, move by move. */
export interface MovesEntry {
  readonly theta: Source;
  readonly offset?: number;
  readonly moves: readonly Move[];
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
const WORTH_COPYING = 8; // moves of signs, from which a second thread gains more than its copies cost
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
  const moves = entries.map(({ theta, key, keep = 1 }) => ({ theta, moves: [{ key, scale, keep }] }));
  moveMany(moves, distribution);
}

/**
 * What one `sweepMany` for each move would do, to the bit, but that every piece of a tensor is taken through up to 256 moves while it is
 * in the caches: the weights' memory is read and written a few times in all. Weights in 16 bits are rounded after each move.
 */
export function moveMany(entries: readonly MovesEntry[], distribution: Distribution): void {
  for (let round = 0; ; round++) {
    const stretches = entries.flatMap(({ theta, offset = 0, moves }): Stretch[] => {
      const most = isHalves(theta) ? 1 : LAYOUT.mostMoves;
      const now = moves.slice(round * most, (round + 1) * most);
      return now.length === 0 ? [] : [{ theta, offset, moves: now, from: 0, to: sizeOf(theta) }];
    });
    if (stretches.length === 0) return;
    work(stretches, distribution);
  }
}

/**
 * plus[i - from] = theta[i] + scale * z[i] and minus[i - from] = theta[i] - scale * z[i] in float32 for the elements of each entry, theta
 * staying as it is: z is made once for both. The z are those of `sweepMany`. What is written may not overlap.
 */
export function spreadMany(entries: readonly SpreadEntry[], scale: number, distribution: Distribution): void {
  const both = entries.map(({ theta, from, to, key, plus, minus }) => {
    return { theta, from, to, offset: 0, moves: [{ key, scale, keep: 1 }], sides: { first: from, plus, minus } };
  });
  work(both, distribution);
}

let milliseconds = 0;

/** Seconds that `sweepMany` and `spreadMany` took since the process began. */
export function secondsInNoise(): number {
  return milliseconds / 1e3;
}

function work(stretches: readonly Stretch[], distribution: Distribution): void {
  const started = performance.now();
  here ??= wasmSweep() ?? plainSweep;
  const helpers = here === plainSweep ? undefined : helpersFor(stretches, distribution);
  for (const piece of pieces(stretches, distribution)) {
    if (!helpers?.post(piece)) here(piece);
  }
  helpers?.finish(here);
  milliseconds += performance.now() - started;
}

/** Elements `from` up to `to` of a tensor, whatever their number. */
type Stretch = Omit<Piece, "distribution">;

function* pieces(stretches: readonly Stretch[], distribution: Distribution): Generator<Piece> {
  for (const { from: first, to, ...stretch } of stretches) {
    for (let from = first - (first % GROUP); from < to; from += PIECE)
      yield { ...stretch, from, to: Math.min(from + PIECE, to), distribution };
  }
}

/** Signs are made faster than they are copied, and only the caller can copy: other threads help with many moves alone. */
function helpersFor(stretches: readonly Stretch[], distribution: Distribution): NoiseThreads | undefined {
  const normals = stretches.reduce((sum, { from, to, moves }) => sum + (to - from) * moves.length, 0);
  if (distribution === "gaussian") return helperThreads(normals);
  return stretches.some(({ moves }) => moves.length >= WORTH_COPYING) ? helperThreads(normals) : undefined;
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
  if (piece.sides) plainSides(piece, piece.sides);
  else plainMoves(piece);
}

function plainMoves(piece: Piece): void {
  const { from, to, offset, moves, distribution } = piece;
  const theta = isHalves(piece.theta) ? widened(piece.theta) : piece.theta;
  const part = theta.subarray(from, to);
  for (const { key, scale, keep } of moves) plainly[distribution](part, scale, key, offset + from, keep);
  if (isHalves(piece.theta)) narrow(part, piece.theta, from, moves[0]!.key);
}

function plainSides({ theta, from, to, moves, distribution }: Piece, { first, plus, minus }: Sides): void {
  const [{ key, scale }] = moves as [Move];
  const [values, start] = [isHalves(theta) ? widened(theta) : theta, Math.max(first, from)];
  for (const [side, way] of [[plus, scale] as const, [minus, -scale] as const]) {
    const there = values.slice(from, to);
    plainly[distribution](there, way, key, from);
    side.set(there.subarray(start - from), start - first);
  }
}

const plainly = { gaussian: addGaussian, rademacher: addRademacher } as const;
