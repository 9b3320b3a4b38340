import { expect, test } from "vitest";
import { probeBackends, threadsInUse, useBackend } from "../../../src/tensor/backend.ts";

await useBackend("native", { threads: 3 });
const { available, detail } = (await probeBackends()).find(({ name }) => name === "tensorflow")!;

test.skipIf(!available)(
  `TensorFlow is loaded with as many threads as are chosen, keeps them, and says so${available ? "" : ` (skipped: ${detail})`}`,
  async () => {
    await useBackend("tensorflow", { threads: 2 });
    expect(threadsInUse()).toBe(3);
    expect(process.env.TF_NUM_INTRAOP_THREADS).toBeUndefined();
    await useBackend("native", { threads: 2 });
    expect(threadsInUse()).toBe(2);
  },
);
