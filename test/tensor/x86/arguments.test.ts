import { expect, test } from "vitest";
import { type Argument, withChecks } from "../../../src/tensor/x86/arguments.ts";

const SIGNATURE = `int mezo_sum(const float *x, int64_t n, int threads, uint32_t, float scale,
  const void *, uint16_t *, uint32_t *, int64_t *)`;

const floats = new Float32Array(4);
const RIGHT: readonly Argument[] = [
  ...[floats, 4, -1, 2 ** 32 - 1, 0.5, new Uint8Array(3).subarray(1)],
  ...[new Uint16Array(2), new Uint32Array(1), new BigInt64Array(1)],
];

const taken: unknown[][] = [];
const run = withChecks(SIGNATURE, (...args) => {
  taken.push([...args]);
  return 7;
});

/** The right arguments but for one. */
const but = (place: number, argument: unknown): Argument[] => RIGHT.with(place, argument as Argument) as Argument[];

test("arguments that fit a C function's signature are passed on as they are, and what it says comes back", () => {
  expect(run(...RIGHT)).toBe(7);
  expect(taken.at(-1)).toEqual(RIGHT);
  expect(run(...but(0, null))).toBe(7);
  expect(run(...but(1, 4n))).toBe(7);
  expect(run(...but(0, new Float32Array(new SharedArrayBuffer(16))))).toBe(7);
  expect(run(...but(7, new Int32Array(1)))).toBe(7);
});

test.each([
  ["memory of another type", 0, new Float64Array(4), "float *"],
  ["integers where floats are read", 0, new Uint16Array(4), "float *"],
  ["an array of JavaScript's", 0, [1, 2], "float *"],
  ["a number for a pointer", 0, 8, "float *"],
  ["nothing", 5, undefined, "void *"],
  ["a fraction", 1, 1.5, "int64_t"],
  ["a size beyond 53 bits", 1, 2 ** 60, "int64_t"],
  ["a fraction for an int", 2, 0.5, "int"],
  ["an int beyond 32 bits", 2, 2 ** 31, "int"],
  ["no number", 2, Number.NaN, "int"],
  ["a negative unsigned number", 3, -1, "uint32_t"],
  ["a text", 4, "1", "float"],
  ["floats for 16 bits", 6, floats, "uint16_t *"],
  ["numbers for 64 bits", 8, new Int32Array(2), "int64_t *"],
])("%s is refused, and the function is not called", (_, place, argument, type) => {
  const calls = taken.length;
  expect(() => run(...but(place, argument))).toThrow(`argument ${place + 1} is no ${type}`);
  expect(taken).toHaveLength(calls);
});

test("an argument too few or too many is refused", () => {
  expect(() => run(...RIGHT.slice(1))).toThrow("8 arguments");
  expect(() => run(...RIGHT, 1)).toThrow("10 arguments");
});

test("a signature with a type that is not known is refused", () => {
  expect(() => withChecks("int mezo_x(long n)", () => 0)).toThrow("no argument is known for long");
});
