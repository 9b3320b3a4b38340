import seedrandom from "seedrandom";
import { KitError } from "../error.ts";

const SIZE = 624;

/**
 * The 32-bit numbers of MT19937 as `numpy.random.seed(seed)` starts it, one per call. Throws a KitError unless the seed is a whole
 * number from 0 to 2³² − 1.
 */
export function mt19937(seed: number): () => number {
  if (!(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32))
    throw new KitError(`NumPy's generator was to start at seed ${seed}: give a whole number from 0 to 4294967295.`);
  const state = makeState(seed);
  let position = SIZE;
  return () => {
    if (position === SIZE) {
      refill(state);
      position = 0;
    }
    return temper(state[position++]!);
  };
}

/** A copy of the items in the order of `numpy.random.seed(seed); numpy.random.shuffle(items)`. */
export function numpyShuffle<Item>(items: readonly Item[], seed: number): Item[] {
  const next = mt19937(seed);
  const shuffled = [...items];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = drawUpTo(i, next);
    [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
  }
  return shuffled;
}

/** The indices 0 to n − 1 in the order of `numpy.random.seed(seed); numpy.random.permutation(n)`. */
export function numpyPermutation(n: number, seed: number): number[] {
  return numpyShuffle(
    Array.from({ length: n }, (_, i) => i),
    seed,
  );
}

/** The `n` whole numbers of `numpy.random.seed(seed); numpy.random.randint(0, bound, n)`, for a bound of at most 2³². */
export function numpyIntegers(bound: number, n: number, seed: number): number[] {
  const next = mt19937(seed);
  return Array.from({ length: n }, () => drawUpTo(bound - 1, next));
}

function makeState(seed: number): Uint32Array {
  const state = new Uint32Array(SIZE);
  state[0] = seed;
  for (let i = 1; i < SIZE; i++) {
    const before = state[i - 1]!;
    state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
  }
  return state;
}

function refill(state: Uint32Array): void {
  for (let k = 0; k < SIZE; k++) {
    const y = (state[k]! & 0x80000000) | (state[(k + 1) % SIZE]! & 0x7fffffff);
    state[k] = state[(k + 397) % SIZE]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
  }
}

function temper(word: number): number {
  let y = word ^ (word >>> 11);
  y ^= (y << 7) & 0x9d2c5680;
  y ^= (y << 15) & 0xefc60000;
  return (y ^ (y >>> 18)) >>> 0;
}

/** Uniform in 0..largest (below 2³²): masked to the next power of two, and drawn again while too large. */
function drawUpTo(largest: number, next: () => number): number {
  const mask = 2 ** (32 - Math.clz32(largest)) - 1;
  for (;;) {
    const value = (next() & mask) >>> 0;
    if (value <= largest) return value;
  }
}

/** A copy of the items in an order that the seed alone decides (Fisher–Yates on seedrandom's Alea generator). */
export function shuffle<Item>(items: readonly Item[], seed: string): Item[] {
  const random = seedrandom.alea(seed);
  const shuffled = [...items];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
  }
  return shuffled;
}
