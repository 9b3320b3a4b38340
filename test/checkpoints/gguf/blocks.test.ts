import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BLOCK_TYPES } from "../../../src/checkpoints/gguf/blocks.ts";

/** Blocks of each type with their values by Python's package gguf; blocks.py made them. */
const samples: Record<string, { packed: string; values: string }> = JSON.parse(
  readFileSync(join(import.meta.dirname, "blocks.json"), "utf8"),
);

test("the samples are of all types that are read", () => {
  expect(Object.keys(samples)).toEqual(Object.keys(BLOCK_TYPES));
});

test.each(Object.entries(samples))("blocks of %s have the reference's values, to the bit", (name, sample) => {
  const { elements, bytes, unpack } = BLOCK_TYPES[name]!;
  const packed = new Uint8Array(Buffer.from(sample.packed, "base64"));
  const values = new Float32Array((packed.length / bytes) * elements);
  for (let i = 0; i < packed.length / bytes; i++) unpack(packed, i * bytes, values, i * elements);
  expect(Buffer.from(values.buffer).toString("base64")).toBe(sample.values);
});
