import { relative } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, expect } from "vitest";
import { useBackend } from "../src/tensor/backend.ts";
import { BACKEND, whyLeftOut } from "./backend.ts";

let tensorsBefore = 0;

beforeEach(async ({ task, skip }) => {
  const why = whyLeftOut(relative(import.meta.dirname, task.file.filepath), task.name);
  if (why) skip(`not run on ${BACKEND}: ${why}`);
  await useBackend(BACKEND, { threads: 1, products: "float32" });
  tensorsBefore = tf.memory().numTensors;
});

afterEach(() => {
  expect(tf.memory().numTensors, "tensors left behind by the test").toBe(tensorsBefore);
});
