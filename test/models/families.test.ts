import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { generateIds } from "../../src/nn/generate.ts";
import { TINY } from "../checkpoints/gguf/files.ts";
import {
  largestDifference,
  loadOracle,
  logitsOf,
  ORACLES,
  type Oracle,
  writeGguf,
  writeOracle,
} from "./oracles/families.ts";

/**
 * How an oracle's model is stored: each writes it in one format and gives what is loaded. Adding a format adds a line, and rows to the table
 * that is printed at the end.
 */
const FORMATS: Readonly<Record<string, (oracle: Oracle) => string>> = {
  safetensors: (oracle) => writeOracle(oracle),
  "safetensors, F16": (oracle) => writeOracle(oracle, "F16"),
  "safetensors, BF16": (oracle) => writeOracle(oracle, "BF16"),
  "GGUF, F32": (oracle) => writeGguf(oracle),
  "GGUF, F16": (oracle) => writeGguf(oracle, "F16"),
};

/** What GGUF can say: these families, no window, and positions scaled from Llama 3.1's own length. */
const isGguf = ({ family, config }: Oracle): boolean =>
  /^(llama|mistral|qwen2|qwen3|gpt2)$/.test(family) && !config.sliding_window && !config.rope_scaling;

/** The table's rows: the largest difference by family and format. */
const worst = new Map<string, number>();

afterAll(() => {
  const rows = [...worst].map(([row, largest]) => `${row} | transformers, float64 | ${largest.toExponential(1)} |`);
  process.stdout.write(
    ["| Family | Format | Checked against | Largest difference of a logit |", ...rows, ""].join("\n"),
  );
});

describe.each(Object.entries(FORMATS))("a model in %s", (format, write) => {
  const oracles = format.startsWith("GGUF") ? ORACLES.filter(isGguf) : ORACLES;
  test.each(oracles.map((oracle) => [oracle.family, oracle.name, oracle] as const))(
    "has the logits that transformers gives, and continues texts alike: %s, %s",
    async (family, _name, oracle) => {
      const network = await loadOracle(write(oracle));
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

test("a GGUF file of quantized tensors has the logits that transformers gives", async () => {
  const { ids, last } = JSON.parse(readFileSync(TINY.replace(".gguf", ".json"), "utf8"));
  const network = await loadOracle(TINY);
  const found = logitsOf(network, ids).at(-1)!;
  const largest = Math.max(...found.map((logit, i) => Math.abs(logit - last[i])));
  worst.set("| llama | GGUF, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, F16, BF16 and F32", largest);
  expect(largest).toBeLessThan(1e-4);
  network.dispose();
});
