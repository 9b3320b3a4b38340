import seedrandom from "seedrandom";
import { expect, test } from "vitest";
import { openGgufCheckpoint } from "../../../src/checkpoints/gguf/checkpoint.ts";
import { TINY } from "./files.ts";

const { tensors } = await openGgufCheckpoint(TINY);

test("the tiny file has tensors of blocks and of numbers, in the file's order and in another", () => {
  const dtypes = new Set([...tensors.values()].map(({ dtype }) => dtype));
  expect([...dtypes].sort()).toEqual(["BF16", "F16", "F32", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]);
});

test.each([...tensors])("any stretch of a tensor is that of the whole: %s", (name, { shape, read }) => {
  const random = seedrandom.alea(name);
  const whole = new Float32Array(shape.reduce((product, length) => product * length, 1));
  read(whole);
  expect(new Set(whole).size).toBeGreaterThan(whole.length / 100);
  for (let i = 0; i < 50; i++) {
    const from = Math.floor(random() * whole.length);
    const part = new Float32Array(1 + Math.floor(random() * (whole.length - from)));
    read(part, from);
    expect(part).toEqual(whole.subarray(from, from + part.length));
  }
});
