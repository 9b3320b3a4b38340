import type { Wasm } from "./webassembly.ts";

/**
 * Where the threads find what in their control words: three counters, and from `first` on one cache line for each place of a piece:
 * its state, the arguments of noise.c's gaussian up to block, whether both sides are wanted, and the last two arguments as float32.
 * A state goes from free to ready and from done to free by the caller, from ready to taken by whoever is faster.
 */
export const LAYOUT = {
  posted: 0,
  finished: 1,
  started: 2,
  first: 16,
  line: 16,
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
}

/**
 * The whole life of a worker thread: does the pieces that are ready and sleeps while there is none. It runs as text in another
 * thread, so it uses nothing from outside and defines no functions (some compilers add calls of helpers to those).
 */
export function serve({ module, memory, control, layout }: Shared): void {
  const c = control;
  const floats = new Float32Array(c.buffer);
  const { Instance } = (globalThis as unknown as { WebAssembly: Wasm }).WebAssembly;
  const { gaussian, gaussianSides } = new Instance(module, { env: { memory } }).exports;
  Atomics.add(c, layout.started, 1);
  for (;;) {
    const seen = Atomics.load(c, layout.posted);
    let found = false;
    for (let i = layout.first; i < c.length; i += layout.line) {
      if (Atomics.compareExchange(c, i, layout.ready, layout.taken) !== layout.ready) continue;
      const kernel = c[i + 7] ? gaussianSides : gaussian;
      kernel(c[i + 1]!, c[i + 2]!, c[i + 3]!, c[i + 4]!, c[i + 5]!, c[i + 6]!, floats[i + 8]!, floats[i + 9]!);
      Atomics.store(c, i, layout.done);
      Atomics.add(c, layout.finished, 1);
      Atomics.notify(c, layout.finished);
      found = true;
    }
    if (!found) Atomics.wait(c, layout.posted, seen);
  }
}
