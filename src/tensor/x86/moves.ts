import koffi from "koffi";
import type { Distribution, Stretch } from "../noise/key.ts";
import { countValues, isHalves } from "../source.ts";
import { callLibrary, libraryThreads } from "./library.ts";

/** 64-bit words of api.h's `stretch`, and 32-bit words of its `noise_move`. */
const STRETCH_WORDS = 12;
const MOVE_WORDS = 8;

const MOVE = "int mezo_move(int64_t *stretches, int count, const uint32_t *moves, int threads)";

const LAWS: Readonly<Record<Distribution, number>> = { gaussian: 0, rademacher: 1 };
const FORMATS = { float32: 0, bfloat16: 1, float16: 2 } as const;

/** Elements times moves, below which waking another thread costs more than it saves. */
const WORTH_THREADS: Readonly<Record<Distribution, number>> = { gaussian: 1 << 16, rademacher: 1 << 19 };

/**
 * Makes the moves of all stretches, which may be of any size, or writes their sides, in the library's own threads and without copies.
 * Throws where a stretch is not within its arrays or does not begin where a group of z does.
 */
export function moveInLibrary(stretches: readonly Stretch[]): void {
  const some = stretches.filter(({ from, to }) => to !== from);
  callLibrary(
    MOVE,
    tableOfStretches(some),
    some.length,
    tableOfMoves(some),
    isWorthThreads(some) ? libraryThreads() : 1,
  );
}

function isWorthThreads(stretches: readonly Stretch[]): boolean {
  const shares = stretches.map(({ from, to, moves, law }) => ((to - from) * moves.length) / WORTH_THREADS[law]);
  return shares.reduce((a, b) => a + b, 0) >= 1;
}

function tableOfMoves(stretches: readonly Stretch[]): Uint32Array {
  const count = stretches.reduce((sum, { moves }) => sum + moves.length, 0);
  const words = new Uint32Array(MOVE_WORDS * count);
  const floats = new Float32Array(words.buffer);
  let at = 0;
  for (const { moves } of stretches) {
    for (const { key, scale, keep } of moves) {
      words[at] = key.k0;
      words[at + 1] = key.k1;
      words[at + 2] = key.stream;
      if (key.mask) words.set(halvesOf(address(key.mask)), at + 4);
      floats[at + 6] = scale;
      floats[at + 7] = keep;
      at += MOVE_WORDS;
    }
  }
  return words;
}

function tableOfStretches(stretches: readonly Stretch[]): BigInt64Array {
  const table = new BigInt64Array(STRETCH_WORDS * stretches.length);
  let firstMove = 0;
  for (const [i, stretch] of stretches.entries()) {
    table.set(wordsOf(stretch, firstMove), STRETCH_WORDS * i);
    firstMove += stretch.moves.length;
  }
  return table;
}

function wordsOf(stretch: Stretch, firstMove: number): bigint[] {
  const { theta, from, to, offset, moves, law, sides } = stretch;
  checkSizes(stretch);
  const [array, format, rounds] = isHalves(theta)
    ? [theta.bits, FORMATS[theta.format], theta.rounding === "stochastic"]
    : [theta, FORMATS.float32, false];
  const [plus, minus] = sides ? [address(sides.plus), address(sides.minus)] : [0n, 0n];
  const numbers = [format, Number(rounds), LAWS[law], from, to, offset, firstMove, moves.length].map(BigInt);
  return [address(array), plus, minus, ...numbers];
}

const address = (array: Float32Array | Uint16Array | Uint32Array): bigint => koffi.address(array);

/** The lower and the upper 32 bits. */
const halvesOf = (address: bigint): number[] => [Number(address & 0xffffffffn), Number(address >> 32n)];

/** What the library cannot see, because it gets addresses alone. */
function checkSizes({ theta, from, to, sides }: Stretch): void {
  const sizes = sides ? [sides.plus.length, sides.minus.length] : [];
  if (to > countValues(theta) || sizes.some((size) => size !== to - from))
    throw new Error(`moveInLibrary: elements ${from} to ${to} of ${countValues(theta)}, with sides of ${sizes}`);
}
