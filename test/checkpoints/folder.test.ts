import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openCheckpoint } from "../../src/checkpoints/folder.ts";
import { writeSafetensors } from "../../src/checkpoints/write.ts";
import { KitError } from "../../src/error.ts";
import { messageOf, temporaryFolder } from "./files.ts";

type Files = Record<string, string | Record<string, number>>;

/** Writes a folder: texts as they are, and a number for each tensor of a weight file. */
function folderWith(files: Files): string {
  const folder = temporaryFolder();
  for (const [name, content] of Object.entries(files)) {
    if (typeof content === "string") writeFileSync(join(folder, name), content);
    else {
      const tensors = Object.entries(content).map(([key, value]) => ({
        name: key,
        shape: [],
        data: Float32Array.of(value),
      }));
      writeSafetensors(join(folder, name), tensors, { dtype: "F32" });
    }
  }
  return folder;
}

function value(folder: string, name: string): number {
  const into = new Float32Array(1);
  openCheckpoint(folder).tensors.get(name)!.read(into);
  return into[0]!;
}

const config = '{ "model_type": "opt" }';
const index = JSON.stringify({ weight_map: { a: "model-1-of-2.safetensors", b: "model-2-of-2.safetensors" } });
const one = "model-1-of-2.safetensors";
const two = "model-2-of-2.safetensors";
const INDEX = "model.safetensors.index.json";

test("a folder with one weight file gives its configuration and tensors", () => {
  const folder = folderWith({ "config.json": config, "model.safetensors": { a: 1, b: 2 } });
  const checkpoint = openCheckpoint(folder);
  expect(checkpoint.config).toEqual({ model_type: "opt" });
  expect(checkpoint.files).toEqual([join(folder, "model.safetensors")]);
  expect([...checkpoint.tensors.keys()]).toEqual(["a", "b"]);
  expect(value(folder, "b")).toBe(2);
});

test("an index sends each tensor to its shard, and tensors that it does not name are kept", () => {
  const folder = folderWith({
    "config.json": config,
    [INDEX]: index,
    [one]: { a: 1, b: 9 },
    [two]: { b: 2, extra: 3 },
  });
  expect(openCheckpoint(folder).files).toEqual([join(folder, one), join(folder, two)]);
  expect([value(folder, "a"), value(folder, "b"), value(folder, "extra")]).toEqual([1, 2, 3]);
});

test("where several forms are there, the single file is used, and safetensors before PyTorch's own", () => {
  const pickled = { "pytorch_model.bin": "no weights", "pytorch_model.bin.index.json": "none either" };
  const folder = folderWith({ "config.json": config, [INDEX]: index, "model.safetensors": { a: 5 }, ...pickled });
  expect(value(folder, "a")).toBe(5);
});

const broken: [string, Files, RegExp][] = [
  [
    "no config.json",
    { "model.safetensors": { a: 1 } },
    /^Reading the model folder .*: no config\.json there; give a folder in Hugging Face/,
  ],
  ["a config.json that is not JSON", { "config.json": "{" }, /config\.json: .*must be JSON/],
  ["a config.json that is a list", { "config.json": "[]" }, /config\.json: it is not a JSON object/],
  [
    "no weights",
    { "config.json": config },
    /no model\.safetensors or pytorch_model\.bin there; give a folder that holds the weights/,
  ],
  [
    "pickled weights that are none",
    { "config.json": config, "pytorch_model.bin": "" },
    /pytorch_model\.bin: it is no file that torch\.save wrote/,
  ],
  [
    "weights under another name",
    { "config.json": config, "x.safetensors": "" },
    /only x\.safetensors, so give that file by its path/,
  ],
  ["an index that is not JSON", { "config.json": config, [INDEX]: "?" }, /index\.json: .*must be JSON/],
  ["an index without a weight map", { "config.json": config, [INDEX]: "{}" }, /index\.json: it has no weight_map/],
  [
    "an absent shard",
    { "config.json": config, [INDEX]: index, [one]: { a: 1 } },
    /shards model-2-of-2\.safetensors are missing/,
  ],
  [
    "a shard outside the folder",
    { "config.json": config, [INDEX]: '{ "weight_map": { "a": "../x" } }' },
    /it names "\.\.\/x", which cannot be files of its folder/,
  ],
  [
    "a shard that is a folder above",
    { "config.json": config, [INDEX]: '{ "weight_map": { "a": ".." } }' },
    /it names "\.\.", which cannot be files of its folder/,
  ],
  [
    "an index with a tensor twice",
    {
      "config.json": config,
      [INDEX]: `{ "weight_map": { "a": "${one}", "a": "${two}" } }`,
      [one]: { a: 1 },
      [two]: { a: 2 },
    },
    /index\.json: it has "a" twice; remove/,
  ],
  ["a config.json with a field twice", { "config.json": '{"a":1,"a":2}' }, /config\.json: it has "a" twice; remove/],
  [
    "an index with tensors that the shards do not hold",
    { "config.json": config, [INDEX]: index, [one]: { c: 1 }, [two]: { a: 2 } },
    /its shards do not hold the tensors that it names: a \(model-1-of-2\.safetensors\), b \(model-2-of-2\.safetensors\);/,
  ],
];

test.each(broken)("%s is one sentence", (_, files, found) => {
  const folder = folderWith(files);
  expect(() => openCheckpoint(folder)).toThrow(KitError);
  expect(messageOf(() => openCheckpoint(folder))).toMatch(found);
  expect(messageOf(() => openCheckpoint(folder))).not.toContain("\n");
});

test("a missing folder, or a file, is refused by name", () => {
  const folder = folderWith({ file: "x" });
  mkdirSync(join(folder, "empty"));
  expect(() => openCheckpoint(join(folder, "none"))).toThrow(/^Reading the model folder .*none: no such folder/);
  expect(() => openCheckpoint(join(folder, "file"))).toThrow(/^Reading the model folder .*file: no such folder/);
});

test("a long list of missing tensors is cut short with its count", () => {
  const names = Array.from({ length: 9 }, (_, i) => [`t${i}`, one]);
  const weightMap = JSON.stringify({ weight_map: Object.fromEntries(names) });
  const folder = folderWith({ "config.json": config, [INDEX]: weightMap, [one]: {} });
  expect(messageOf(() => openCheckpoint(folder))).toMatch(/names: t0 .*t4 \(model-1-of-2\.safetensors\) and 4 more;/);
});
