import { Worker } from "node:worker_threads";
import { groupStart, type Move, type Stretch } from "./key.ts";
import { sharedMemoryModule } from "./wasm.generated.ts";
import { copyIn, copyOut, firstBlock, kernelName, PLACE } from "./wasm.ts";
import { type KernelName, PAGE, PIECE, type Wasm, wasm } from "./webassembly.ts";

/** Functions of noise.c that worker threads run, by their number in the control words. */
export const WORKER_KERNELS: readonly KernelName[] = ["gaussian", "gaussianSides", "rademacher"];

/**
 * The layout of the control words: three counters, and from `first` on `line` words for each place of a piece:
 * its state, address, size, first block, the number of its kernel, the distance of its sides or 0, the number of its moves, and from
 * `moves` on five words a move: the key's three, scale and keep as float32. A state goes from free to ready and from done to free by
 * the caller, from ready to taken by whichever thread is first.
 */
export const LAYOUT = {
  posted: 0,
  finished: 1,
  started: 2,
  first: 16,
  moves: 16,
  move: 5,
  mostMoves: 256,
  line: 1296,
  free: 0,
  ready: 1,
  taken: 2,
  done: 3,
} as const;

/** What a worker thread gets: noise.c compiled, the memory of the pieces, and the control words by which the threads talk. */
export interface Shared {
  readonly module: object;
  readonly memory: object;
  readonly control: Int32Array;
  readonly layout: typeof LAYOUT;
  readonly names: readonly KernelName[];
}

/**
 * The whole life of a worker thread: works on pieces that are ready and sleeps while none is. It runs as text in another
 * thread, so it uses nothing from outside and defines no functions (some compilers add calls of helpers to those).
 */
export function serve({ module, memory, control, layout, names }: Shared): void {
  const c = control;
  const floats = new Float32Array(c.buffer);
  const { Instance } = (globalThis as unknown as { WebAssembly: Wasm }).WebAssembly;
  const { exports } = new Instance(module, { env: { memory } });
  const kernels = names.map((name) => exports[name]);
  Atomics.add(c, layout.started, 1);
  for (;;) {
    const seen = Atomics.load(c, layout.posted);
    let found = false;
    for (let i = layout.first; i < c.length; i += layout.line) {
      if (Atomics.compareExchange(c, i, layout.ready, layout.taken) !== layout.ready) continue;
      const [at, n, block, kernel, sides] = [c[i + 1]!, c[i + 2]!, c[i + 3]!, kernels[c[i + 4]!]!, c[i + 5]!];
      const end = i + layout.moves + layout.move * c[i + 6]!;
      for (let m = i + layout.moves; m < end; m += layout.move)
        kernel(at, n, c[m]!, c[m + 1]!, c[m + 2]!, block, floats[m + 3]!, sides || floats[m + 4]!);
      Atomics.store(c, i, layout.done);
      Atomics.add(c, layout.finished, 1);
      Atomics.notify(c, layout.finished);
      found = true;
    }
    if (!found) Atomics.wait(c, layout.posted, seen);
  }
}

const PLACES_A_WORKER = 3; // one in work and two waiting: the caller comes by only after each piece of its own
const WORTH_POSTING = PIECE / 4; // elements; a smaller piece is done before a worker wakes up

/** Worker threads that add noise to pieces in a memory of their own, handed out and collected by the thread that made them. */
export class NoiseThreads {
  readonly #workers: Worker[];
  readonly #control: Int32Array;
  readonly #parameters: Float32Array;
  readonly #memory: Float32Array;
  readonly #posted: ({ piece: Stretch; at: number } | undefined)[];

  /** Starts the workers, which help once they are up. Throws where the process has no workers or no shared WebAssembly memory. */
  constructor(workers: number) {
    const { Module, Memory } = wasm()!;
    const places = PLACES_A_WORKER * workers;
    const pages = Math.ceil((4 * 2 * PLACE * places) / PAGE);
    const memory = new Memory({ initial: pages, maximum: pages, shared: true });
    const module = new Module(Buffer.from(sharedMemoryModule, "base64"));
    this.#control = new Int32Array(new SharedArrayBuffer(4 * lineOf(places)));
    this.#parameters = new Float32Array(this.#control.buffer);
    this.#memory = new Float32Array(memory.buffer);
    this.#posted = new Array(places).fill(undefined);
    this.#workers = Array.from({ length: workers }, () =>
      startWorker({ module, memory, control: this.#control, layout: LAYOUT, names: WORKER_KERNELS }),
    );
  }

  /** Hands the piece, of at most 256 moves, to the workers; false where it is too small for that, no worker is up yet or all places are in use. */
  post(piece: Stretch): boolean {
    const size = piece.to - groupStart(piece);
    if (piece.moves.length * size < WORTH_POSTING || Atomics.load(this.#control, LAYOUT.started) === 0) return false;
    const place = this.#posted.findIndex((_, place) => this.#collect(place));
    if (place < 0) return false;
    const at = copyIn(piece, this.#memory, place * 2 * PLACE);
    const line = lineOf(place);
    const [kernel, sides] = [WORKER_KERNELS.indexOf(kernelName(piece)), piece.sides ? PLACE : 0];
    this.#control.set([4 * at, size, firstBlock(piece), kernel, sides, piece.moves.length], line + 1);
    for (const [i, move] of piece.moves.entries()) this.#write(move, line + LAYOUT.moves + LAYOUT.move * i);
    this.#posted[place] = { piece, at };
    Atomics.store(this.#control, line, LAYOUT.ready);
    Atomics.add(this.#control, LAYOUT.posted, 1);
    Atomics.notify(this.#control, LAYOUT.posted, 1);
    return true;
  }

  /** Returns when every posted piece is done; those that no worker has taken are taken back and done by `here`. */
  finish(here: (piece: Stretch) => void): void {
    for (;;) {
      const seen = Atomics.load(this.#control, LAYOUT.finished);
      this.#takeBack(here);
      const collected = this.#posted.map((_, place) => this.#collect(place));
      if (!collected.includes(false)) return;
      Atomics.wait(this.#control, LAYOUT.finished, seen);
    }
  }

  /** Ends the workers. */
  stop(): void {
    for (const worker of this.#workers) void worker.terminate();
  }

  #write({ key, scale, keep }: Move, at: number): void {
    this.#control[at] = key.k0;
    this.#control[at + 1] = key.k1;
    this.#control[at + 2] = key.stream;
    this.#parameters[at + 3] = scale;
    this.#parameters[at + 4] = keep;
  }

  /** Copies back what is done at a place, and says whether the place is free. */
  #collect(place: number): boolean {
    const posted = this.#posted[place];
    if (!posted) return true;
    const line = lineOf(place);
    if (Atomics.load(this.#control, line) !== LAYOUT.done) return false;
    copyOut(posted.piece, this.#memory, posted.at);
    Atomics.store(this.#control, line, LAYOUT.free);
    this.#posted[place] = undefined;
    return true;
  }

  #takeBack(here: (piece: Stretch) => void): void {
    for (const [place, posted] of this.#posted.entries()) {
      if (!posted || Atomics.compareExchange(this.#control, lineOf(place), LAYOUT.ready, LAYOUT.free) !== LAYOUT.ready)
        continue;
      this.#posted[place] = undefined;
      here(posted.piece);
    }
  }
}

function lineOf(place: number): number {
  return LAYOUT.first + LAYOUT.line * place;
}

/** A worker keeps next to nothing: without limits its heap takes megabytes that it never uses. */
const LIMITS = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 8, codeRangeSizeMb: 8, stackSizeMb: 1 };

function startWorker(shared: Shared): Worker {
  const text = `(${serve})(require("node:worker_threads").workerData)`;
  const worker = new Worker(text, { eval: true, workerData: shared, execArgv: [], resourceLimits: LIMITS });
  worker.unref(); // a sleeping worker must not keep the process alive
  worker.on("error", () => {}); // one that cannot start never counts as started: the caller does the work
  return worker;
}
