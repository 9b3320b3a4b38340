import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readTensor, type SafetensorsFile } from "../../src/checkpoints/safetensors.ts";
import { openSafetensors } from "../../src/checkpoints/safetensorsHeader.ts";
import { encodeF16 } from "../../src/checkpoints/write.ts";
import { needs, shared } from "../shared.ts";

const full = "golden/opt-tiny.safetensors";
const half = "golden/opt-tiny-f16-altnames.safetensors";
const brain = "golden/opt-tiny-bf16.safetensors";
const integers = "golden/roberta-tiny.safetensors";
const double = "golden/opt-tiny-grad-f64.safetensors";

const open = (file: string): SafetensorsFile => openSafetensors(shared(file)!);

/** Pairs of the same tensor, in float32 and in the other file. */
function pairs(other: SafetensorsFile, rename: (name: string) => string) {
  const original = open(full);
  return [...original.tensors.keys()].map((name) => ({
    name,
    exact: readTensor(original, name),
    rounded: readTensor(other, rename(name)),
    entry: other.tensors.get(rename(name))!,
  }));
}

describe.skipIf(!shared(half) || !shared(full))(`float16 under other names; ${needs(half)}`, () => {
  test("PyTorch's rounding of each tensor is ours, bit by bit, and reads as the nearest float16", () => {
    const bytes = readFileSync(shared(half)!);
    const all = pairs(open(half), (name) => name.replace(/^model\./, ""));
    expect(all.length).toBeGreaterThan(10);
    for (const { exact, rounded, entry } of all) {
      const bits = new Uint16Array(exact.length);
      encodeF16(exact, bits);
      const stored = bytes.subarray(entry.byteOffset, entry.byteOffset + entry.byteLength);
      expect(Buffer.from(bits.buffer).equals(stored)).toBe(true);
      expect(exact.every((x, i) => Math.abs(x - rounded[i]!) <= Math.abs(x) * 2 ** -11 + 2 ** -25)).toBe(true);
    }
  });
});

describe.skipIf(!shared(brain) || !shared(full))(`bfloat16; ${needs(brain)}`, () => {
  test("each tensor reads as the nearest bfloat16 of its float32 values", () => {
    const all = pairs(open(brain), (name) => name);
    expect(all.length).toBeGreaterThan(10);
    for (const { exact, rounded, entry } of all) {
      expect(entry.dtype).toBe("BF16");
      expect(exact.every((x, i) => Math.abs(x - rounded[i]!) <= Math.abs(x) * 2 ** -8)).toBe(true);
      expect(new Uint32Array(rounded.buffer).every((bits) => (bits & 0xffff) === 0)).toBe(true);
    }
  });
});

describe.skipIf(!shared(integers))(`integers beside floats; ${needs(integers)}`, () => {
  test("integer tensors are listed but not read as floats", () => {
    const file = open(integers);
    const found = [...file.tensors.values()].filter(({ dtype }) => dtype === "I64");
    expect(found.length).toBeGreaterThan(0);
    for (const { name } of found) expect(() => readTensor(file, name)).toThrow(/as floats: it holds I64/);
  });
});

describe.skipIf(!shared(double))(`float64; ${needs(double)}`, () => {
  test("doubles are rounded to float32", () => {
    const file = open(double);
    const bytes = readFileSync(shared(double)!);
    for (const { name, byteOffset } of file.tensors.values()) {
      const values = readTensor(file, name);
      const last = values.length - 1;
      expect(values[last]).toBe(Math.fround(bytes.readDoubleLE(byteOffset + 8 * last)));
    }
    expect(file.tensors.size).toBeGreaterThan(10);
  });
});
