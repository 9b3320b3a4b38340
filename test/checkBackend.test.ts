import { afterEach, beforeEach, expect, test, vi } from "vitest";

beforeEach(() => void vi.resetModules());
afterEach(() => void vi.unstubAllEnvs());

test("tests on a backend that MEZO_BACKEND names wrongly are ended in a sentence that tells those there are", async () => {
  vi.stubEnv("MEZO_BACKEND", "tensorfow");
  const { setup } = await import("./checkBackend.ts");
  await expect(setup()).rejects.toThrow(
    /^Backend "tensorfow" was asked for, but no backend has that name; choose one of native, cpu, wasm, webgpu, tensorflow\.$/,
  );
});

test("tests are run on native where MEZO_BACKEND is not set", async () => {
  vi.stubEnv("MEZO_BACKEND", "");
  expect((await import("./backend.ts")).BACKEND).toBe("native");
});
