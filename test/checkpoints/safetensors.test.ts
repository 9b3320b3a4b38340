import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { listStored, readTensor } from "../../src/checkpoints/safetensors.ts";
import { openSafetensors } from "../../src/checkpoints/safetensorsHeader.ts";
import { KitError } from "../../src/error.ts";
import { messageOf, safetensorsBytes, temporaryFile, temporaryFolder } from "./files.ts";

const two = { dtype: "F32", shape: [2], data_offsets: [0, 8] };
const eight = new Uint8Array(8);

test("a header gives names, dtypes, shapes and places without the data being read", () => {
  const header = { __metadata__: { format: "pt" }, b: { dtype: "I64", shape: [], data_offsets: [8, 16] }, a: two };
  const bytes = safetensorsBytes(header, new Uint8Array(16));
  const file = openSafetensors(temporaryFile(bytes));
  const start = bytes.length - 16;
  expect([...file.tensors.values()]).toEqual([
    { name: "a", dtype: "F32", shape: [2], byteOffset: start, byteLength: 8 },
    { name: "b", dtype: "I64", shape: [], byteOffset: start + 8, byteLength: 8 },
  ]);
});

test.each([
  ["F32", Uint8Array.of(0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc1)],
  ["F16", Uint8Array.of(0x00, 0x3c, 0x00, 0xc9)],
  ["BF16", Uint8Array.of(0x80, 0x3f, 0x20, 0xc1)],
  ["F64", Uint8Array.of(0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0x24, 0xc0)],
])("the bytes of 1 and -10 are read from %s, after an entry that misaligns them", (dtype, data) => {
  const header = {
    pad: { dtype: "U8", shape: [3], data_offsets: [0, 3] },
    x: { dtype, shape: [1, 2], data_offsets: [3, 3 + data.length] },
  };
  const file = openSafetensors(temporaryFile(safetensorsBytes(header, Buffer.concat([new Uint8Array(3), data]))));
  expect(readTensor(file, "x")).toEqual(Float32Array.of(1, -10));
});

test.each(["F16", "BF16", "F64"])("a tensor of %s longer than one chunk is whole", (dtype) => {
  const size = (4 << 20) + 5;
  const bytes = dtype === "F64" ? 8 : 2;
  const data = Buffer.alloc(size * bytes);
  const one = { F16: 0x3c00, BF16: 0x3f80, F64: 0x3ff0 }[dtype]!; // the upper 16 bits of 1
  for (const at of [0, (2 << 20) - 1, 2 << 20, size - 1]) data.writeUInt16LE(one, (at + 1) * bytes - 2);
  const header = { x: { dtype, shape: [size], data_offsets: [0, data.length] } };
  const values = readTensor(openSafetensors(temporaryFile(safetensorsBytes(header, data))), "x");
  expect(values.reduce((sum, value) => sum + value, 0)).toBe(4);
  expect([values[0], values[(2 << 20) - 1], values[2 << 20], values[size - 1]]).toEqual([1, 1, 1, 1]);
});

test("a tensor is read into the destination that is given, touching nothing beside it", () => {
  const file = openSafetensors(
    temporaryFile(safetensorsBytes({ a: two }, new Uint8Array(Float32Array.of(3, 4).buffer))),
  );
  const destination = new Float32Array(4).fill(7);
  const view = destination.subarray(1, 3);
  expect(readTensor(file, "a", view)).toBe(view);
  expect([...destination]).toEqual([7, 3, 4, 7]);
});

test("a scalar has one element and a tensor with a zero in its shape has none", () => {
  const header = {
    none: { dtype: "F16", shape: [0, 4], data_offsets: [0, 0] },
    scalar: { dtype: "F32", shape: [], data_offsets: [0, 4] },
  };
  const file = openSafetensors(temporaryFile(safetensorsBytes(header, new Uint8Array(4))));
  expect(readTensor(file, "none").length).toBe(0);
  expect(readTensor(file, "scalar").length).toBe(1);
});

const malformed: [string, Buffer, RegExp][] = [
  ["an empty file", Buffer.alloc(0), /has 0 bytes, too few/],
  ["a file cut within the header's length", Buffer.alloc(7), /has 7 bytes, too few/],
  [
    "a header longer than the file",
    safetensorsBytes({ a: two }, eight, 5000),
    /header has 5000 bytes but only 62 follow/,
  ],
  ["a header of absurd length", safetensorsBytes({ a: two }, eight, 0xfffffff0), /4294967280 bytes, more than any/],
  ["a header that is cut by its length", safetensorsBytes({ a: two }, eight, 20), /header is not JSON/],
  ["a header that is not JSON", safetensorsBytes("{oops", eight), /header is not JSON/],
  ["a header that is a list", safetensorsBytes([1], eight), /header is not a JSON object/],
  ["an entry without a shape", safetensorsBytes({ a: { ...two, shape: undefined } }, eight), /"a" has no dtype, shape/],
  ["a negative size", safetensorsBytes({ a: { ...two, shape: [-2] } }, eight), /"a" has no dtype, shape/],
  [
    "a tensor twice",
    safetensorsBytes(`{"a":${JSON.stringify(two)},"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, eight),
    /its header has "a" twice/,
  ],
  [
    "a dtype twice",
    safetensorsBytes('{"a":{"dtype":"F64","dtype":"F32","shape":[2],"data_offsets":[0,8]}}', eight),
    /its header has "dtype" twice/,
  ],
  ["a header that is not UTF-8", safetensorsBytes(Buffer.from("7b22ff223a317d", "hex"), eight), /header is not UTF-8/],
  [
    "a shape whose product no number holds",
    safetensorsBytes({ a: { ...two, shape: Array(40).fill(2 ** 53 - 1) } }, eight),
    /of F32 \[9007199254740991,.{0,120}…\] needs Infinity bytes but its offsets span 8/,
  ],
  [
    "offsets far beyond the file",
    safetensorsBytes({ a: { ...two, shape: [2 ** 50], data_offsets: [0, 2 ** 52] } }, eight),
    /"a" ends at byte \d+ but the file has \d+ bytes/,
  ],
  ["a very long name", safetensorsBytes({ ["x".repeat(1e6)]: 1 }, eight), /entry "x{120}…" has no dtype/],
  ["one offset", safetensorsBytes({ a: { ...two, data_offsets: [8] } }, eight), /two data_offsets/],
  ["an unknown dtype", safetensorsBytes({ a: { ...two, dtype: "F7" } }, eight), /"a" has the unknown dtype "F7"/],
  [
    "a shape that its bytes do not fill",
    safetensorsBytes({ a: { ...two, shape: [3] } }, eight),
    /needs 12 bytes but its offsets span 8/,
  ],
  [
    "offsets in the wrong order",
    safetensorsBytes({ a: { ...two, data_offsets: [8, 0] } }, eight),
    /needs 8 bytes .* span -8/,
  ],
  [
    "truncated data",
    safetensorsBytes({ a: two }, new Uint8Array(7)),
    /"a" ends at byte 70 but the file has 69 bytes \(truncated\?\)/,
  ],
  [
    "overlapping tensors",
    safetensorsBytes({ a: two, b: { ...two, data_offsets: [4, 12] } }, new Uint8Array(12)),
    /"b" overlaps/,
  ],
  [
    "a gap between tensors",
    safetensorsBytes({ a: two, b: { ...two, data_offsets: [9, 17] } }, new Uint8Array(17)),
    /gap of 1 bytes before "b"/,
  ],
  ["bytes behind the last tensor", safetensorsBytes({ a: two }, new Uint8Array(9)), /1 bytes follow its last tensor/],
];

test.each(malformed)("%s is refused in one sentence that names the file", (_, bytes, found) => {
  const path = temporaryFile(bytes);
  const open = () => openSafetensors(path);
  expect(open).toThrow(KitError);
  const message = messageOf(open);
  expect(message).toMatch(found);
  expect(message).toMatch(/^Reading .*model\.safetensors: [^\n]+; download or convert the file again\.$/);
  expect(message).toContain(path);
});

test("a missing file and a folder are refused by name", () => {
  const folder = temporaryFolder();
  expect(() => openSafetensors(join(folder, "none.safetensors"))).toThrow(/none\.safetensors: ENOENT.*check the path/);
  expect(() => openSafetensors(folder)).toThrow(KitError);
});

test("a file that was truncated after opening is refused when it is read", () => {
  const path = temporaryFile(safetensorsBytes({ a: two }, eight));
  const file = openSafetensors(path);
  truncateSync(path, 62);
  expect(() => readTensor(file, "a")).toThrow(/ends at byte 62; download it again/);
  writeFileSync(path, "");
  expect(() => readTensor(file, "a")).toThrow(KitError);
});

test("an unknown name, a dtype without floats and a destination of another size are refused", () => {
  const file = openSafetensors(temporaryFile(safetensorsBytes({ a: { ...two, dtype: "I32" } }, eight)));
  expect(() => readTensor(file, "b")).toThrow(/Reading "b" from .*: the file has no such tensor/);
  expect(() => readTensor(file, "a")).toThrow(/Reading "a" from .* as floats: it holds I32/);
  expect(() => readTensor(file, "a", new Float32Array(3))).toThrow(/it has 2 elements, the destination 3/);
});

test.each(["F32", "F16", "BF16", "F64"] as const)("a part of a %s tensor is what the whole has there", (dtype) => {
  const sizes = { F32: 4, F16: 2, BF16: 2, F64: 8 };
  const header = { x: { dtype, shape: [3, 2], data_offsets: [0, 6 * sizes[dtype]] } };
  const bytes = Uint8Array.from({ length: 6 * sizes[dtype] }, (_, i) => (7 * i) % 64);
  const file = openSafetensors(temporaryFile(safetensorsBytes(header, bytes)));
  const part = new Float32Array(3);
  listStored(file)[0]![1].read(part, 2);
  expect(part).toEqual(readTensor(file, "x").subarray(2, 5));
});
