import type { ViteUserConfig } from "vitest/config";

/** No test measures time: a limit ends what hangs, on a busy machine too. */
const HANGS = 10 * 60_000;

const config: ViteUserConfig = {
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/setup.ts"],
    globalSetup: ["test/temporary.ts", "test/checkBackend.ts"],
    testTimeout: HANGS,
    hookTimeout: HANGS,
    teardownTimeout: HANGS,
    maxWorkers: 2,
  },
};

export default config;
