import { resolve } from "node:path";
import type { ViteUserConfig } from "vitest/config";
import tests from "../../vitest.config.ts";
import { MUTATIONS } from "./list.ts";

const mutation = MUTATIONS[Number.parseInt(process.env.MEZO_MUTATION ?? "", 10)];
const path = mutation && resolve(import.meta.dirname, "../../src", mutation.file);

/** The tests as they are, of a kit with one wrong line, or none without a number. */
const config: ViteUserConfig = {
  ...tests,
  plugins: [
    {
      name: "one wrong line",
      enforce: "pre",
      transform: (code, id) => (id === path ? code.replace(mutation!.from, () => mutation!.to) : undefined),
    },
  ],
};

export default config;
