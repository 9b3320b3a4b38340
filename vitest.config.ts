import type { ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = {
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/setup.ts"],
    globalSetup: ["test/temporary.ts"],
    testTimeout: 60_000,
    maxWorkers: 2,
  },
};

export default config;
