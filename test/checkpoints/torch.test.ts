import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { zipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { openCheckpoint } from "../../src/checkpoints/folder.ts";
import { openTorch } from "../../src/checkpoints/torch/file.ts";
import { openWeights } from "../../src/checkpoints/weightFiles.ts";
import { KitError } from "../../src/error.ts";
import { messageOf, temporaryFile, temporaryFolder } from "./files.ts";

const HERE = resolve(import.meta.dirname, "torch");

/** What PyTorch 2.15 read from the files that torch/write.py made. */
const VALUES: Record<string, Record<string, { shape: number[]; values: number[] }>> = JSON.parse(
  readFileSync(join(HERE, "values.json"), "utf8"),
);

const FILES: [string, string][] = [
  ["kinds", "kinds.bin"],
  ["kinds", "kinds-old.bin"],
  ["kinds", "kinds-packed.bin"],
  ["views", "views.bin"],
  ["views", "views-old.bin"],
];

describe.each(FILES)("the %s of tensors in %s", (state, name) => {
  const tensors = openTorch(join(HERE, name));

  test("are those that PyTorch reads: names, shapes and values", () => {
    expect([...tensors].map(([key, { shape }]) => [key, shape])).toEqual(
      Object.entries(VALUES[state]!).map(([key, { shape }]) => [key, shape]),
    );
    for (const [key, { values }] of Object.entries(VALUES[state]!)) {
      if (key === "position_ids") continue;
      const into = new Float32Array(values.length);
      tensors.get(key)!.read(into);
      expect([key, ...into]).toEqual([key, ...values.map(Math.fround)]);
    }
  });

  test("have parts that are what the whole has there", () => {
    for (const [key, { values }] of Object.entries(VALUES[state]!)) {
      for (let from = 0; from < values.length && key !== "position_ids"; from++) {
        const into = new Float32Array(Math.min(3, values.length - from));
        tensors.get(key)!.read(into, from);
        expect([...into]).toEqual(values.slice(from, from + 3).map(Math.fround));
      }
    }
  });
});

test("the kinds of numbers go by safetensors' names, and integers are listed but not read", () => {
  const dtypes = [...openTorch(join(HERE, "kinds.bin"))].map(([name, { dtype }]) => [name, dtype]);
  expect(Object.fromEntries(dtypes)).toEqual({
    ...{ single: "F32", half: "F16", brain: "BF16", double: "F64", scalar: "F32", none: "F32" },
  });
  const ids = openTorch(join(HERE, "views.bin")).get("position_ids")!;
  expect(ids.dtype).toBe("I64");
  expect(() => ids.read(new Float32Array(4))).toThrow(/"position_ids" from .* as floats: it holds I64; only F64, F32/);
});

describe("a model folder", () => {
  const config = '{ "model_type": "opt" }';
  const folderOf = (files: Readonly<Record<string, string>>): string => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "config.json"), config);
    for (const [name, from] of Object.entries(files)) copyFileSync(join(HERE, from), join(folder, name));
    return folder;
  };

  test("with pytorch_model.bin gives its tensors, and the file by its path does too", () => {
    const folder = folderOf({ "pytorch_model.bin": "kinds.bin" });
    for (const place of [folder, join(folder, "pytorch_model.bin")]) {
      const { tensors, files, config: read, folder: found } = openCheckpoint(place);
      expect([...tensors.keys()]).toEqual(Object.keys(VALUES.kinds!));
      expect([found, files, read]).toEqual([folder, [join(folder, "pytorch_model.bin")], { model_type: "opt" }]);
    }
  });

  test("with shards that an index names gives the tensors of all", () => {
    const folder = folderOf({ "pytorch_model-1.bin": "kinds.bin", "pytorch_model-2.bin": "views-old.bin" });
    const weight_map = { half: "pytorch_model-1.bin", tied: "pytorch_model-2.bin" };
    writeFileSync(join(folder, "pytorch_model.bin.index.json"), JSON.stringify({ weight_map }));
    const { tensors } = openCheckpoint(folder);
    expect(tensors.get("half")!.path).toBe(join(folder, "pytorch_model-1.bin"));
    expect([...tensors.keys()].sort()).toEqual([...Object.keys(VALUES.kinds!), ...Object.keys(VALUES.views!)].sort());
    writeFileSync(
      join(folder, "pytorch_model.bin.index.json"),
      JSON.stringify({ weight_map: { ...weight_map, other: "pytorch_model-2.bin" } }),
    );
    expect(() => openCheckpoint(folder)).toThrow(
      /do not hold the tensors that it names: other \(pytorch_model-2\.bin\)/,
    );
  });

  test("with a file of another name is not guessed at, but that file is read by its path", () => {
    const folder = folderOf({ "checkpoint.bin": "kinds.bin" });
    expect(messageOf(() => openCheckpoint(folder))).toMatch(/only checkpoint\.bin, so give that file by its path/);
    expect(openCheckpoint(join(folder, "checkpoint.bin")).tensors.size).toBe(6);
    expect(() => openWeights(join(folder, "config.json"))).toThrow(/its name should end in \.safetensors or \.bin/);
  });
});

/** A pickle of protocol 2 with operations as text: each character is a byte. */
const pickle = (operations: string): Uint8Array => Buffer.from(`\x80\x02${operations}.`, "latin1");
const text = (value: string): string => `X${String.fromCharCode(value.length)}\0\0\0${value}`;
const STORAGE = `(${text("storage")}ctorch\nFloatStorage\n${text("0")}${text("cpu")}K\x06tQ`;
const tensor = (offset: string, shape: string, strides: string): string =>
  `ctorch._utils\n_rebuild_tensor_v2\n(${STORAGE}${offset}${shape}${strides}\x89}tR`;
const dict = (value: string): string => `}${text("a")}${value}s`;
const WHOLE = dict(tensor("K\0", "K\x06\x85", "K\x01\x85"));
const SIX = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer);

/** A PyTorch file with that pickle and a storage of six numbers. */
const fileOf = (operations: string, others: Record<string, Uint8Array> = {}): Uint8Array =>
  zipSync({ "m/data.pkl": pickle(operations), "m/data/0": SIX, ...others }, { level: 0 });

const LARGE = "J\xff\xff\xff\x7f"; // 2,147,483,647
const damaged: [string, Uint8Array, RegExp][] = [
  ["a program", fileOf(`cos\nsystem\n${text("id")}\x85R`), /its pickle names os\.system, which no tensor needs and/],
  ["a name that objects have", fileOf("cconstructor\nconstructor\n)R"), /its pickle names constructor\.constructor/],
  ["a class that is called", fileOf("ctorch\nFloatStorage\n)R"), /its pickle calls torch\.FloatStorage/],
  ["a value that is called", fileOf("K\x01)R"), /its pickle calls what is no function/],
  [
    "attributes of a tensor",
    fileOf(dict(`${tensor("K\0", "K\x06\x85", "K\x01\x85")}}b`)),
    /sets attributes of what is no/,
  ],
  ["an operation of no tensor", fileOf("(i"), /its pickle has the operation 105, which no file of tensors needs/],
  ["another protocol", fileOf("\x80\x04]"), /its pickle is of protocol 4 instead of 2/],
  ["an empty stack", fileOf("R"), /its pickle takes what it has not made/],
  ["what is below a mark", fileOf("K\x01(\x85"), /its pickle takes what it has not made/],
  ["a list without a beginning", fileOf("e"), /its pickle ends a list that it has not begun/],
  ["a place that was not kept", fileOf("h\x07"), /its pickle recalls what it has not kept/],
  ["a text longer than any name", fileOf("X\0\0\0\x7f"), /its pickle has a text of 2130706432 bytes/],
  ["a text that is not UTF-8", fileOf("U\x01\xff"), /its pickle has a text that is not UTF-8/],
  ["a name without an end", fileOf(`c${"x".repeat(300)}`), /its pickle has the name x{120}…/],
  ["a key without a value", fileOf("}(K\x01u"), /its pickle has a key without a value/],
  ["no dict", fileOf("]"), /it holds no state dict/],
  ["a dict within a dict", fileOf(dict("}")), /it holds "a" beside or instead of tensors/],
  ["a storage of no kind", fileOf("K\x01Q"), /its pickle has the storage 1;/],
  [
    "a tensor beyond its storage",
    fileOf(dict(tensor("K\x01", "K\x06\x85", "K\x01\x85"))),
    /a tensor of \[6\] does not fit into the 6 numbers that are stored for it/,
  ],
  [
    "a tensor that repeats one number without end",
    fileOf(dict(tensor("K\0", `${LARGE}${LARGE}\x86`, "K\0K\0\x86"))),
    /a tensor of \[2147483647,2147483647\] does not fit into the 6 numbers/,
  ],
  [
    "a negative size",
    fileOf(dict(tensor("K\0", "J\xff\xff\xff\xff\x85", "K\x01\x85"))),
    /of what is no storage, offset/,
  ],
  [
    "a storage that is too short",
    fileOf(WHOLE, { "m/data/0": SIX.subarray(1) }),
    /storage 0 should have 24 bytes and has 23/,
  ],
  ["no storage", zipSync({ "m/data.pkl": pickle(WHOLE) }), /its storage 0 should have 24 bytes and has none/],
  ["a big-endian machine", fileOf("}", { "m/byteorder": Buffer.from("big") }), /it is of a big-endian machine/],
  ["an archive of other files", zipSync({ "model.txt": SIX }), /it is a zip archive, but none that torch\.save wrote/],
  ["a cut archive", fileOf("}").subarray(0, -30), /it is no whole zip archive/],
  ["nothing", new Uint8Array(0), /it is no file that torch\.save wrote/],
];

test.each(damaged)("a file with %s is refused in one sentence that names it", (_, bytes, found) => {
  const path = temporaryFile(bytes, "pytorch_model.bin");
  expect(() => openTorch(path)).toThrow(KitError);
  expect(messageOf(() => openTorch(path))).toMatch(found);
  expect(messageOf(() => openTorch(path))).toMatch(/^Reading .*pytorch_model\.bin: [^\n]+; [^\n]+\.$/);
});

test("the file that the damaged ones are made of is read", () => {
  const path = temporaryFile(fileOf(dict(tensor("K\x01", "K\x02K\x02\x86", "K\x02K\x01\x86"))), "pytorch_model.bin");
  const into = new Float32Array(4);
  openTorch(path).get("a")!.read(into);
  expect([...into]).toEqual([2, 3, 4, 5]);
});

test("strides that are neither those of a part nor of a transposed matrix are refused when the tensor is read", () => {
  const path = temporaryFile(fileOf(dict(tensor("K\0", "K\x02K\x02\x86", "K\x03K\x02\x86"))), "pytorch_model.bin");
  const { read } = openTorch(path).get("a")!;
  expect(() => read(new Float32Array(4))).toThrow(/"a" from .*: its strides are \[3,2\] in a shape of \[2,2\]; save a/);
});

const OLD = readFileSync(join(HERE, "kinds-old.bin"));
const changed = (find: string, by: string): Buffer => Buffer.from(OLD.toString("latin1").replace(find, by), "latin1");
const damagedOld: [string, Buffer, RegExp][] = [
  [
    "cut within its numbers",
    readFileSync(join(HERE, "views-old.bin")).subarray(0, -1),
    /it should have \d+ bytes and has \d+ \(truncated\?\)/,
  ],
  ["cut within a pickle", OLD.subarray(0, 200), /it ends within a pickle/],
  ["of a big-endian machine", changed("little_endianq\x02\x88", "little_endianq\x02\x89"), /of a big-endian machine/],
  ["of another layout", changed("M\xe9\x03.", "M\xea\x03."), /of an unknown version of PyTorch's old layout/],
];

test.each(damagedOld)("an old file that is %s is refused in one sentence", (_, bytes, found) => {
  const path = temporaryFile(bytes, "pytorch_model.bin");
  expect(messageOf(() => openTorch(path))).toMatch(found);
});

test("a pickle that only grows ends, in little memory", () => {
  const path = temporaryFile(fileOf("}".repeat(1.1e6)), "pytorch_model.bin");
  expect(messageOf(() => openTorch(path))).toMatch(/its pickle has more than 1,000,000 operations/);
});
