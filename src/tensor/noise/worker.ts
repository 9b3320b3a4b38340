import type { KernelName, Wasm } from "./webassembly.ts";

/** Functions of noise.c that worker threads run, by their number in the control words. */
export const WORKER_KERNELS: readonly KernelName[] = ["gaussian", "gaussianSides", "rademacher"];

/**
 * Where the threads find what in their control words: three counters, and from `first` on `line` words for each place of a piece:
 * its state, address, size, first block, the number of its kernel, the distance of its sides or 0, the number of its moves, and from
 * `moves` on five words a move: the key's three, scale and keep as float32. A state goes from free to ready and from done to free by
 * the caller, from ready to taken by whoever is faster.
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
 * The whole life of a worker thread: does the pieces that are ready and sleeps while there is none. It runs as text in another
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
