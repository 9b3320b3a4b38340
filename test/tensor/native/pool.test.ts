import seedrandom from "seedrandom";
import { afterEach, expect, test } from "vitest";
import { give, isBorrowed, poolBytes, take } from "../../../src/tensor/native/pool.ts";

const taken: Float32Array[] = [];
const some = (size: number): Float32Array => {
  const array = take(size);
  taken.push(array);
  return array;
};
afterEach(() => {
  for (const array of taken.splice(0)) give(array);
});

/** The bytes of a buffer from its first to its last element in use. */
const ends = ({ byteOffset, byteLength }: Float32Array): [number, number] => [byteOffset, byteOffset + byteLength];

test("results in use never overlap, and touch no more than a quarter above the most that was in use, whatever their sizes", () => {
  const random = seedrandom.alea("pool");
  let [last, most] = [0, 0];
  for (let i = 0; i < 3000; i++) {
    if (taken.length > 20) give(taken.splice(Math.floor(random() * taken.length), 1)[0]!);
    const array = some(1024 + Math.floor(random() * 20_000));
    for (const other of taken.slice(0, -1)) {
      const [[a, b], [c, d]] = [ends(array), ends(other)];
      expect(array.buffer !== other.buffer || b <= c || d <= a).toBe(true);
    }
    last = Math.max(last, ends(array)[1]);
    most = Math.max(most, poolBytes().inUse);
  }
  expect(last).toBeLessThan(1.25 * most);
});

test("what was given back is used again, joined with its free neighbours", () => {
  const [a, b, c, guard] = [some(2048), some(2048), some(2048), some(2048)];
  const start = a.byteOffset;
  for (const array of [a, c, b]) give(array);
  const whole = some(3 * 2048);
  expect([whole.byteOffset, whole.buffer]).toEqual([start, guard.buffer]);
});

test("a part of a result is known as one that will not last; a result itself, a stranger and what was given back twice are not", () => {
  const array = some(4096);
  expect(isBorrowed(array)).toBe(false);
  expect(isBorrowed(array.subarray(8))).toBe(true);
  expect(isBorrowed(new Float32Array(8))).toBe(false);
  const { inUse } = poolBytes();
  give(new Float32Array(8));
  give(array);
  give(array);
  expect(poolBytes().inUse).toBe(inUse - array.byteLength);
});
