import { describe, expect, test } from "vitest";
import { probeBackends, useBackend } from "../../src/tensor/backend.ts";
import { gpu } from "../../src/tensor/webgpu/gpu.ts";
import { backendTests } from "./backendChecks.ts";

interface Navigator {
  readonly gpu: {
    requestAdapter(): Promise<{ features: ReadonlySet<string>; limits: Readonly<Record<string, number>> } | null>;
  };
}

const { available, detail } = (await probeBackends()).find(({ name }) => name === "webgpu")!;

describe.skipIf(!available)(`the backend webgpu${available ? ` on ${detail}` : ` (skipped: ${detail})`}`, () => {
  backendTests("webgpu");

  test("computes on a device with the adapter's limits and the features that matter, and names them", async () => {
    await useBackend("webgpu");
    const { device } = gpu();
    const adapter = (await (navigator as unknown as Navigator).gpu.requestAdapter())!;
    for (const name of ["maxBufferSize", "maxStorageBufferBindingSize", "maxComputeWorkgroupStorageSize"])
      expect(device.limits[name]).toBe(adapter.limits[name]);
    for (const [feature, called] of Object.entries({ "shader-f16": "float16", subgroups: "subgroups" })) {
      expect(device.features.has(feature)).toBe(adapter.features.has(feature));
      expect(detail.includes(called)).toBe(adapter.features.has(feature));
    }
    expect(detail).toContain(
      `tensors of up to ${(device.limits.maxStorageBufferBindingSize! / 2 ** 30).toFixed(1)} GiB`,
    );
  });
});
