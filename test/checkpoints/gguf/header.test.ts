import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { openGguf } from "../../../src/checkpoints/gguf/header.ts";
import { KitError } from "../../../src/error.ts";
import { temporaryFile } from "../files.ts";
import { F32, floats, ggufBytes, type Tensor } from "./files.ts";

const open = (bytes: Uint8Array) => openGguf(temporaryFile(bytes, "a.gguf"));
const bytesOf = (name: string, shape: number[], type: number, length: number): Tensor => ({
  ...{ name, shape, type, data: new Uint8Array(length) },
});
const a = floats("a", [2, 3], new Float32Array(6));
const b = bytesOf("b", [3, 32], 8, 3 * 34);

test("a header gives metadata, types, shapes with rows first, and places, without the data being read", async () => {
  const bytes = ggufBytes({ "general.name": "x", n: 3, list: ["é", ""] }, [a, b]);
  const { metadata, tensors } = await open(bytes);
  expect(metadata).toMatchObject({ "general.name": "x", n: 3, list: ["é", ""] });
  const end = bytes.length - 128; // of what goes before b, which is padded to 128 bytes
  expect([...tensors.values()]).toEqual([
    { name: "a", dtype: "F32", shape: [2, 3], byteOffset: end - 32, byteLength: 24 },
    { name: "b", dtype: "Q8_0", shape: [3, 32], byteOffset: end, byteLength: 102 },
  ]);
});

const sound = ggufBytes({ "general.name": "x" }, [a, b]);
const edited = (at: number, ...bytes: number[]): Buffer => {
  const copy = Buffer.from(sound);
  copy.set(bytes, at);
  return copy;
};
const ALL = [255, 255, 255, 255, 255, 255, 255, 127];

test.each<[string, Uint8Array, RegExp]>([
  ["an empty file", new Uint8Array(), /it has 0 bytes, too few for a GGUF file/],
  ["another format", Buffer.from("x".repeat(100)), /it does not begin as GGUF files do; give a file of that format/],
  ["version 1", edited(4, 1), /it has version 1 of GGUF, and only 2 and 3 are read/],
  ["the other order of bytes", edited(4, 0, 0, 0, 3), /it has version 50331648 of GGUF/],
  [
    "more tensors than it has room for",
    edited(8, ...ALL),
    /its header must have \d+ bytes and more, and the file has 320/,
  ],
  ["more metadata than it has room for", edited(16, ...ALL), /its header must have \d+ bytes and more/],
  ["a text of all memory", edited(24, ...ALL), /its header cannot be read \(String length \d+ exceeds/],
  ["metadata of no type", edited(44, 77), /its header cannot be read \(Unsupported metadata type: 77\)/],
  ["an end in its header", sound.subarray(0, 80), /its header goes on after its 80 bytes; download it again/],
  [
    "an end in its data",
    sound.subarray(0, -60),
    /its tensor "b" ends at byte \d+, and the file has 260; download it again/,
  ],
  ["a tensor over another", ggufBytes({}, [a, b], [0, 0]), /its tensor "b" overlaps "a"/],
  ["a tensor off its place", ggufBytes({}, [a, b], [0, 40]), /begins at byte \d+, which is not aligned to 32/],
  ["a tensor beyond the end", ggufBytes({}, [a, b], [0, 2 ** 40]), /its tensor "b" ends at byte 1099511/],
  ["two tensors of one name", ggufBytes({}, [a, a]), /its tensor "a" is there twice/],
  [
    "a part of a block",
    ggufBytes({}, [bytesOf("c", [4, 30], 8, 128)]),
    /"c" of \[4,30\] is no whole number of blocks of 32/,
  ],
  ["a tensor without elements", ggufBytes({}, [bytesOf("c", [0, 32], 8, 0)]), /"c" of \[0,32\] is no whole number/],
  ["a tensor larger than all memory", ggufBytes({}, [bytesOf("c", [2 ** 31, 2 ** 31], F32, 0)]), /ends at byte/],
  [
    "an alignment of nothing",
    ggufBytes({ "general.alignment": 0 }, [a]),
    /general.alignment must be a positive integer/,
  ],
  [
    "IQ4_XS",
    ggufBytes({}, [bytesOf("c", [1, 256], 23, 136)]),
    /"c" .* stored as IQ4_XS, and the kit reads F32, .*Q6_K; take a file/,
  ],
  ["Q2_K", ggufBytes({}, [bytesOf("c", [1, 256], 10, 84)]), /stored as Q2_K/],
  ["a type of the future", ggufBytes({}, [bytesOf("c", [1, 256], 999, 84)]), /stored as type 999/],
  [
    "a part of a model",
    ggufBytes({ "split.count": 3 }, [a]),
    /one of 3 parts of a model; join them with .*llama-gguf-split --merge/,
  ],
])("is refused in a sentence: %s", async (_name, bytes, found) => {
  const error = await open(bytes).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(KitError);
  expect((error as Error).message).toMatch(found);
  expect((error as Error).message).toMatch(/^Reading /);
});

test("a file that is not there is named", async () => {
  await expect(openGguf("none.gguf")).rejects.toThrow(/^Reading none\.gguf: ENOENT.*check the path/);
});

test("a header longer than what is read at once is read whole", async () => {
  const tokens = Array.from({ length: 150_000 }, (_, i) => `token ${i}`);
  const path = temporaryFile("", "long.gguf");
  writeFileSync(path, ggufBytes({ tokens }, [a]));
  const { metadata, tensors } = await openGguf(path);
  expect(metadata.tokens).toEqual(tokens);
  expect(tensors.has("a")).toBe(true);
});
