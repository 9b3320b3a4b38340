import { availableParallelism } from "node:os";
import { KitError } from "../../error.ts";
import { isHalves } from "../source.ts";
import { groupStart, type Stretch } from "./key.ts";
import { movePlainly } from "./plain.ts";
import { LAYOUT, NoiseThreads } from "./threads.ts";
import { wasmSweep } from "./wasm.ts";
import { PIECE } from "./webassembly.ts";

const WORTH_THREADS = 1 << 17; // normals; below, waking another thread costs more than it saves
const WORTH_COPYING = 8; // moves of signs, from which a second thread gains more than its copies cost
const MOST_THREADS = 6; // the calling thread copies for all of them, and more than this would wait for it

let wanted = Math.min(availableParallelism(), MOST_THREADS);
let threads: NoiseThreads | undefined;
let here: ((piece: Stretch) => void) | undefined;

/** Sets on how many threads sweeps in pieces run from now on, the calling one included; more than 6 count as 6. The bits never depend on it. */
export function setNoiseThreads(n: number): void {
  if (!Number.isInteger(n) || n < 1)
    throw new KitError(`The number of noise threads must be an integer from 1 on, not ${n}.`);
  const next = Math.min(n, MOST_THREADS);
  if (next === wanted) return;
  threads?.stop();
  threads = undefined;
  wanted = next;
}

/** Takes every piece of the stretches through up to 256 moves while it is in the caches, in WebAssembly, or plainly where that is missing. */
export function moveInPieces(stretches: readonly Stretch[]): void {
  for (let round = 0; ; round++) {
    const now = stretches.flatMap((stretch): Stretch[] => {
      const most = isHalves(stretch.theta) ? 1 : LAYOUT.mostMoves;
      const moves = stretch.moves.slice(round * most, (round + 1) * most);
      return moves.length === 0 ? [] : [{ ...stretch, moves }];
    });
    if (now.length === 0) return;
    work(now);
  }
}

function work(stretches: readonly Stretch[]): void {
  here ??= wasmSweep() ?? movePlainly;
  const helpers = here === movePlainly ? undefined : helpersFor(stretches);
  for (const piece of pieces(stretches)) {
    if (!helpers?.post(piece)) here(piece);
  }
  helpers?.finish(here);
}

function* pieces(stretches: readonly Stretch[]): Generator<Stretch> {
  for (const stretch of stretches) {
    for (let start = groupStart(stretch); start < stretch.to; start += PIECE)
      yield cut(stretch, Math.max(start, stretch.from), Math.min(start + PIECE, stretch.to));
  }
}

/** Elements `from` up to `to` of a stretch. */
function cut(stretch: Stretch, from: number, to: number): Stretch {
  const { sides } = stretch;
  if (!sides) return { ...stretch, from, to };
  const part = (side: Float32Array): Float32Array => side.subarray(from - stretch.from, to - stretch.from);
  return { ...stretch, from, to, sides: { plus: part(sides.plus), minus: part(sides.minus) } };
}

/** Signs are made faster than they are copied, and only the caller can copy: other threads help with many moves alone. */
function helpersFor(stretches: readonly Stretch[]): NoiseThreads | undefined {
  if (stretches.some(({ moves }) => moves.some(({ key }) => key.mask))) return undefined; // their masks are here alone
  const normals = stretches.reduce((sum, { from, to, moves }) => sum + (to - from) * moves.length, 0);
  return stretches.some(({ law, moves }) => law === "gaussian" || moves.length >= WORTH_COPYING)
    ? helperThreads(normals)
    : undefined;
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
