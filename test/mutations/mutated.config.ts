import { resolve } from "node:path";
import type { ViteUserConfig } from "vitest/config";
import { MUTATIONS } from "./list.ts";

const { file, from, to } = MUTATIONS[Number.parseInt(process.env.MEZO_MUTATION ?? "", 10)] ?? {
  file: "",
  from: "",
  to: "",
};
const path = resolve(import.meta.dirname, "../../src", file);

/** The tests as they are, of a kit with one wrong line, or none without a number. */
const config: ViteUserConfig = {
  plugins: [
    {
      name: "one wrong line",
      enforce: "pre",
      transform: (code, id) => (id === path ? code.replace(from, () => to) : undefined),
    },
  ],
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/setup.ts"],
    globalSetup: ["test/temporary.ts"],
    testTimeout: 60_000,
  },
};

export default config;
