import type { ViteUserConfig } from "vitest/config";

/** `npm run test:mutations`: a few seconds for each wrong line, apart from `npm test`. */
const config: ViteUserConfig = {
  test: { include: ["test/mutations/mutations.ts"], testTimeout: 10 * 60_000, reporters: ["verbose"] },
};

export default config;
