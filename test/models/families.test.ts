import { afterAll, describe, expect, test } from "vitest";
import { generateIds } from "../../src/nn/generate.ts";
import { largestDifference, loadOracle, ORACLES, type Oracle, writeOracle } from "./oracles/families.ts";

/**
 * How an oracle's model is stored: each writes it in one format and gives what is loaded. Adding a format adds a line, and rows to the table
 * that is printed at the end.
 */
const FORMATS: Readonly<Record<string, (oracle: Oracle) => string>> = {
  safetensors: (oracle) => writeOracle(oracle),
  "safetensors, F16": (oracle) => writeOracle(oracle, "F16"),
  "safetensors, BF16": (oracle) => writeOracle(oracle, "BF16"),
};

/** The table's rows: the largest difference by family and format. */
const worst = new Map<string, number>();

afterAll(() => {
  const rows = [...worst].map(([row, largest]) => `${row} | transformers, float64 | ${largest.toExponential(1)} |`);
  process.stdout.write(
    ["| Family | Format | Checked against | Largest difference of a logit |", ...rows, ""].join("\n"),
  );
});

describe.each(Object.entries(FORMATS))("a model in %s", (format, write) => {
  test.each(ORACLES.map((oracle) => [oracle.family, oracle.name, oracle] as const))(
    "has the logits that transformers gives, and continues texts alike: %s, %s",
    async (family, _name, oracle) => {
      const network = loadOracle(write(oracle));
      const largest = largestDifference(network, oracle);
      const row = `| ${family} | ${format}`;
      worst.set(row, Math.max(worst.get(row) ?? 0, largest));
      expect(largest).toBeLessThan(1e-4);
      expect(Math.max(...oracle.logits.flat(2))).toBeGreaterThan(0.5);
      if (network.prompts === "autoregressive") {
        const prompts = oracle.prompts.map((ids) => Int32Array.from(ids));
        const made = await generateIds(network, prompts, { maxNewTokens: oracle.greedy[0]!.length });
        expect(made).toEqual(oracle.greedy);
      }
      network.dispose();
    },
  );
});
