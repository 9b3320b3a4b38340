import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { probeBackends, useBackend } from "../../src/tensor/backend.ts";
import { backendTests } from "./backendChecks.ts";

describe.each(["cpu", "wasm"] as const)("the backend %s", (backend) => {
  backendTests(backend);
});

const found = await probeBackends();
const { available, detail } = found.find(({ name }) => name === "tensorflow")!;

describe.skipIf(!available)(`the backend tensorflow${available ? "" : ` (skipped: ${detail})`}`, () => {
  backendTests("tensorflow");
});

test("every backend says what it runs on, or in one sentence why it does not; the one in use stays", async () => {
  await useBackend("cpu");
  for (const { name, available, detail } of await probeBackends()) {
    if (["native", "cpu", "wasm"].includes(name)) expect(available).toBe(true);
    expect(detail).not.toBe("");
    if (!available) expect(detail).toMatch(/^[^\n]+\.$/);
  }
  expect(tf.getBackend()).toBe("cpu");
  await useBackend("native");
});
