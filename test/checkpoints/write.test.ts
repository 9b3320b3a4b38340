import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readTensor } from "../../src/checkpoints/safetensors.ts";
import { openSafetensors } from "../../src/checkpoints/safetensorsHeader.ts";
import { writeSafetensors } from "../../src/checkpoints/write.ts";
import { KitError } from "../../src/error.ts";
import { temporaryFolder } from "./files.ts";

const tensors = [
  { name: "w", shape: [2, 2], data: Float32Array.of(1, -2, 0.5, 65504) },
  { name: "b", shape: [1], data: Float32Array.of(-0.25) },
];

test.each(["F32", "F16"] as const)("what is written as %s is read back", (dtype) => {
  const path = join(temporaryFolder(), "model.safetensors");
  writeSafetensors(path, tensors, { dtype });
  const file = openSafetensors(path);
  expect([...file.tensors.values()].map(({ name, shape }) => ({ name, shape }))).toEqual([
    { name: "w", shape: [2, 2] },
    { name: "b", shape: [1] },
  ]);
  for (const { name, data } of tensors) expect(readTensor(file, name)).toEqual(data);
});

test("the bytes are those of the format: length, JSON padded to a multiple of eight, then little-endian halves", () => {
  const path = join(temporaryFolder(), "model.safetensors");
  writeSafetensors(path, tensors, { dtype: "F16" });
  const bytes = readFileSync(path);
  const headerLength = bytes.readUInt32LE(0);
  expect(headerLength % 8).toBe(0);
  expect(JSON.parse(bytes.toString("utf8", 8, 8 + headerLength))).toEqual({
    __metadata__: { format: "pt" },
    w: { dtype: "F16", shape: [2, 2], data_offsets: [0, 8] },
    b: { dtype: "F16", shape: [1], data_offsets: [8, 10] },
  });
  expect(bytes.subarray(8 + headerLength).toString("hex")).toBe("003c00c00038ff7b00b4");
});

test("tensors that share one buffer are each written from their own part", () => {
  const path = join(temporaryFolder(), "model.safetensors");
  const buffer = Float32Array.of(1, 2, 3, 4, 5);
  writeSafetensors(path, [{ name: "x", shape: [2], data: buffer.subarray(2, 4) }], { dtype: "F32" });
  expect(readTensor(openSafetensors(path), "x")).toEqual(Float32Array.of(3, 4));
});

test("a failed write names the file and leaves nothing behind", () => {
  const folder = temporaryFolder();
  const taken = join(folder, "taken");
  mkdirSync(join(taken, "inside"), { recursive: true });
  expect(() => writeSafetensors(taken, tensors, { dtype: "F32" })).toThrow(/Writing .*taken: .*choose a folder/);
  expect(() => writeSafetensors(join(folder, "absent", "m"), tensors, { dtype: "F32" })).toThrow(/absent.*: ENOENT/);
  expect(readdirSync(folder)).toEqual(["taken"]);
});

test("a wrong shape, a repeated name and a value beyond float16 are refused before anything is written", () => {
  const folder = temporaryFolder();
  const write = (data: number[], names = ["x"]) =>
    writeSafetensors(
      join(folder, "m"),
      names.map((name) => ({ name, shape: [1], data: Float32Array.from(data) })),
      { dtype: "F16" },
    );
  expect(() => write([1, 2])).toThrow(/"x" has shape \[1\] but 2 elements/);
  expect(() => write([1], ["x", "x"])).toThrow(/two tensors are named "x"/);
  expect(() => write([-65520])).toThrow(KitError);
  expect(() => write([-65520])).toThrow(/"x" has values beyond float16's 65,504; write it as F32/);
  expect(readdirSync(folder)).toEqual([]);
});
