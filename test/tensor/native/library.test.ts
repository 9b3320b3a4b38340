import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { findLibrary, libraryPath, VERSION } from "../../../src/tensor/native/library.ts";

const { devDependencies } = JSON.parse(readFileSync(resolve(import.meta.dirname, "../../../package.json"), "utf8"));

test("the library that an installed kit fetches is of the version that the tests run with", () => {
  expect(VERSION).toBe(devDependencies["onnxruntime-node"]);
  expect(findLibrary()).toContain("onnxruntime-node");
  expect(existsSync(libraryPath())).toBe(true);
});
