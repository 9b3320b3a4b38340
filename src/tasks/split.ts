import { KitError } from "../error.ts";
import { strip } from "../text/prompt.ts";
import { countClasses, hasClasses } from "./score.ts";
import type { Example, Task } from "./task.ts";

/** The examples of a task's three parts, and a remark on them. */
export type Parts = Pick<Task, "train" | "dev" | "test" | "remark">;

/** Numbers of examples for each part. */
export interface PartSizes extends Record<string, number> {
  readonly train: number;
  readonly dev: number;
  readonly test: number;
}

/** What a split is made from: examples of the train file and of the test file, and the file's name for errors. */
export interface Pools {
  readonly train: readonly Example[];
  readonly test: readonly Example[];
  readonly name: string;
}

/** The seed by which the authors drew 1,000 rows of longer test files for all their K-shot splits. */
const TEST_SEED = 42;

/**
 * The authors' split (Table 1): the first train + dev rows of NumPy's permutation under the seed, of which the last are dev and the rest
 * train, however few; test is drawn likewise from its own file. Throws a KitError where no row is left for train.
 */
export function splitAsPaper({ train, test, name }: Pools, sizes: PartSizes, seed: number): Parts {
  const drawn = draw(train, sizes.train + sizes.dev, seed);
  const rest = drawn.length - sizes.dev;
  if (rest < 1) {
    throw new KitError(
      `${name} has ${train.length} rows, of which ${sizes.dev} were to be dev and the rest train: ask for fewer dev rows, or take split "proportional".`,
    );
  }
  return { train: drawn.slice(0, rest), dev: drawn.slice(rest), test: draw(test, sizes.test, seed) };
}

/** Unlike the paper, this split shrinks train and dev in proportion where the train file is short. */
export function splitProportionally({ train, test, name }: Pools, sizes: PartSizes, seed: number): Parts {
  const real = shrinkSizes({ train: sizes.train, dev: sizes.dev }, train.length, name);
  return splitAsPaper({ train, test, name }, { ...real, test: sizes.test }, seed);
}

/** Three parts of one file's rows without overlap, which shrink in proportion where the file is short. */
export function splitInThree(pool: readonly Example[], name: string, sizes: PartSizes, seed: number): Parts {
  const { train, dev, test } = shrinkSizes(sizes, pool.length, name);
  const drawn = draw(pool, train + dev + test, seed);
  return {
    train: drawn.slice(0, train),
    dev: drawn.slice(train, train + dev),
    test: drawn.slice(train + dev),
  };
}

/**
 * The K-shot split of the paper's masked models: the train rows shuffled by NumPy under the seed, the first k of each label for train,
 * the next k for dev; test is at most `most` rows, drawn as the authors drew them. Without test rows, the remaining train rows are test.
 */
export function splitKShot(pools: Pools, k: number, most: number, seed: number): Parts {
  const groups = groupByLabel(numpyShuffle(pools.train, seed));
  const take = (from: number, to?: number): Example[] => [...groups.values()].flatMap((group) => group.slice(from, to));
  const test = pools.test.length > 0 ? pools.test : take(2 * k);
  const parts = { train: take(0, k), dev: take(k, 2 * k), test: drawTest(test, most) };
  checkShots(parts, k, pools.name);
  const remark = describeShots(parts, k);
  return remark === undefined ? parts : { ...parts, remark };
}

/** At most `most` test rows: of a longer file those that the authors drew, the same for all seeds. */
export function drawTest(test: readonly Example[], most: number): readonly Example[] {
  return test.length > most ? draw(test, most, TEST_SEED) : test;
}

/** Examples by label, in the order in which the labels first appear. */
function groupByLabel(examples: readonly Example[]): Map<number, Example[]> {
  const groups = new Map<number, Example[]>();
  for (const example of examples) {
    const label = example.gold[0]!;
    const group = groups.get(label);
    if (group) group.push(example);
    else groups.set(label, [example]);
  }
  return groups;
}

function checkShots(parts: Parts, k: number, name: string): void {
  if (!hasClasses({ metric: "accuracy", ...parts }))
    throw new KitError(
      `${k} rows per class were asked for, but the rows of ${name} have no classes in common: leave out k.`,
    );
  const empty = (["train", "dev", "test"] as const).find((part) => parts[part].length === 0);
  if (empty)
    throw new KitError(`${name} has too few rows for ${k} per class: none is left for ${empty}; ask for a smaller k.`);
}

/** The counts by class, where a class has fewer than k rows. */
function describeShots({ train, dev }: Parts, k: number): string | undefined {
  const counts = [countClasses(train), countClasses(dev)] as const;
  if (counts.flat().every((count) => count === k)) return undefined;
  const [inTrain, inDev] = counts.map((some) => some.join("/"));
  return `k ${k}, but unequal classes: train ${inTrain}, dev ${inDev}`;
}

function draw(pool: readonly Example[], count: number, seed: number): Example[] {
  return numpyPermutation(pool.length, seed)
    .slice(0, count)
    .map((index) => pool[index]!);
}

/** One seed for the demonstrations of each of `n` evaluated rows, drawn as in the authors' code. */
export function drawDemonstrationSeeds(n: number, seed: number): number[] {
  return numpyIntegers(10_000, n, seed);
}

/**
 * The texts of `shots` different examples with their right answers: the first of NumPy's permutation of the pool under the seed, as in
 * the authors' code; the whole pool where it has fewer.
 */
export function drawDemonstrations(
  pool: readonly Example[],
  { shots, seed }: { readonly shots: number; readonly seed: number },
): string[] {
  return numpyPermutation(pool.length, seed)
    .slice(0, shots)
    .map((i) => verbalize(pool[i]!));
}

/** The prompt with its first right answer, stripped of white space at both ends. Throws a KitError for an example without an autoregressive form. */
export function verbalize({ autoregressive, gold }: Example): string {
  if (!autoregressive)
    throw new KitError(
      "Demonstrations were asked for, but the task has prompts for masked models only; choose a task with autoregressive prompts.",
    );
  return strip(autoregressive.prompt + autoregressive.options[gold[0]!]!);
}

/** Wanted numbers of examples by the names of their parts. */
export type Sizes = Readonly<Record<string, number>>;

/** Throws a KitError unless every size is a whole number of at least 1. */
export function checkSizes(sizes: Sizes): void {
  for (const [part, size] of Object.entries(sizes)) {
    if (Number.isInteger(size) && size >= 1) continue;
    throw new KitError(`The ${part} part must have a whole number of examples, at least 1, not ${size}.`);
  }
}

/**
 * The sizes of parts drawn from `rows` rows: the wanted ones where there are enough rows, else in about the same proportions and at least 1
 * each. Throws a KitError where there are fewer rows than parts. Unlike the paper, whose dev part keeps its 500 rows however few are left
 * for train (54 for WSC), a short file shrinks all parts.
 */
export function shrinkSizes<Wanted extends Sizes>(wanted: Wanted, rows: number, from: string): Wanted {
  const parts = Object.entries(wanted);
  if (rows < parts.length) {
    const names = parts.map(([part]) => part).join(", ");
    throw new KitError(`${from} has too few rows (${rows}) for ${names} to have one each; give more rows.`);
  }
  // Each part gets one row first; the others are shared out in proportion.
  const ends = accumulate(parts.map(([, size]) => size - 1));
  const scale = Math.min(1, (rows - parts.length) / Math.max(1, ends.at(-1)!));
  const shares = ends.map((end, index) => Math.round(end * scale) - Math.round((ends[index - 1] ?? 0) * scale));
  return Object.fromEntries(parts.map(([part], index) => [part, 1 + shares[index]!])) as Wanted;
}

function accumulate(values: readonly number[]): number[] {
  let sum = 0;
  return values.map((value) => {
    sum += value;
    return sum;
  });
}

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
