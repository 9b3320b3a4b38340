import { describe } from "vitest";
import { probeBackends } from "../../src/tensor/backend.ts";
import { backendTests } from "./backendChecks.ts";

const { available, detail } = (await probeBackends()).find(({ name }) => name === "webgpu")!;

describe.skipIf(!available)(`the backend webgpu${available ? ` on ${detail}` : ` (skipped: ${detail})`}`, () => {
  backendTests("webgpu");
});
