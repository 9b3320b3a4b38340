import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { findTensorFlow } from "../../../src/tensor/tensorflow/library.ts";
import { emptyFolder } from "../../standIn.ts";

/** A folder with empty files of these names. */
function folderWith(...files: string[]): string {
  const folder = emptyFolder();
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), "");
  }
  return folder;
}

const HEADER = "include/tensorflow/c/eager/c_api.h";
const WHEEL = ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2", HEADER];
const ARCHIVE = ["lib/libtensorflow.so.2", "lib/libtensorflow_framework.so.2", HEADER];
const below = (place: string): string[] => WHEEL.map((name) => `${place}/${name}`);

test.each([
  ["a wheel's folder", "", WHEEL, "libtensorflow_cc.so.2"],
  ["the folder around a wheel's", "tensorflow", below("tensorflow"), "libtensorflow_cc.so.2"],
  [
    "a Python environment",
    "lib/python3.12/site-packages/tensorflow",
    below("lib/python3.12/site-packages/tensorflow"),
    "libtensorflow_cc.so.2",
  ],
  ["an unpacked C library", "lib", ARCHIVE, "libtensorflow.so.2"],
])("a TensorFlow is found in %s", (_what, place, names, core) => {
  const folder = folderWith(...names);
  expect(findTensorFlow(folder)).toEqual({
    folder: join(folder, place),
    files: [core, "libtensorflow_framework.so.2"].map((name) => join(folder, place, name)),
    headers: join(folder, place === "lib" ? "" : place, "include"),
  });
});

test("its folder is the real one where the one that is named holds links to it", () => {
  const [real, links] = [folderWith(...WHEEL), emptyFolder()];
  for (const name of [...WHEEL.slice(0, 2), "include"]) symlinkSync(join(real, name), join(links, name));
  expect(findTensorFlow(links)).toMatchObject({
    folder: real,
    files: WHEEL.slice(0, 2).map((name) => join(real, name)),
  });
});

test.each([
  ["a folder that is not there", join(emptyFolder(), "x"), /^TensorFlow was to be linked from .*x, which is not there/],
  ["an empty one", emptyFolder(), /no libtensorflow_framework\.so\.2 lies there, in tensorflow\//],
  ["half a library", folderWith(...WHEEL.slice(1)), /holds neither libtensorflow_cc\.so\.2 nor libtensorflow\.so\.2/],
  ["a library without headers", folderWith(...WHEEL.slice(0, 2)), /no include\/tensorflow\/c\/eager\/c_api\.h/],
])("%s is refused in a sentence that names what is missing", (_what, folder, sentence) => {
  expect(() => findTensorFlow(folder)).toThrow(sentence);
  expect(() => findTensorFlow(folder)).toThrow(/^[^\n]+: (name|install) [^\n]+\.$/);
});
