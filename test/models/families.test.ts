import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { generateIds } from "../../src/nn/generate.ts";
import { TINY } from "../checkpoints/gguf/files.ts";
import { torchOld, torchZip } from "../checkpoints/torchFiles.ts";
import {
  largestDifference,
  loadOracle,
  logitsOf,
  ORACLES,
  type Oracle,
  weightsOf,
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
  "pytorch_model.bin": (oracle) => writeFiles(oracle, { "pytorch_model.bin": torchZip(weightsOf(oracle)) }),
  "pytorch_model.bin, deflated": (oracle) =>
    writeFiles(oracle, { "pytorch_model.bin": torchZip(weightsOf(oracle), { level: 6 }) }),
  "pytorch_model.bin of before 1.6": (oracle) =>
    writeFiles(oracle, { "pytorch_model.bin": torchOld(weightsOf(oracle)) }),
  "pytorch_model.bin in shards": writeShards,
  "GGUF, F32": (oracle) => writeGguf(oracle),
  "GGUF, F16": (oracle) => writeGguf(oracle, "F16"),
};

/** An oracle's model in a new folder: its config.json beside the given files. */
function writeFiles({ family, config }: Oracle, files: Readonly<Record<string, Uint8Array | string>>): string {
  const folder = mkdtempSync(join(tmpdir(), `${family}-`));
  for (const [name, content] of Object.entries({ ...files, "config.json": JSON.stringify(config) }))
    writeFileSync(join(folder, name), content);
  return folder;
}

/** The first half of the weights in PyTorch's zip archive, the others in its old layout. */
function writeShards(oracle: Oracle): string {
  const weights = weightsOf(oracle);
  const half = Math.floor(weights.length / 2);
  const [one, two] = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"];
  const weight_map = Object.fromEntries(weights.map(({ name }, i) => [name, i < half ? one : two]));
  return writeFiles(oracle, {
    [one]: torchZip(weights.slice(0, half)),
    [two]: torchOld(weights.slice(half)),
    "pytorch_model.bin.index.json": JSON.stringify({ weight_map }),
  });
}

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
      const largest = await largestDifference(network, oracle);
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
  const found = (await logitsOf(network, ids)).at(-1)!;
  const largest = Math.max(...found.map((logit, i) => Math.abs(logit - last[i])));
  worst.set("| llama | GGUF, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, F16, BF16 and F32", largest);
  expect(largest).toBeLessThan(1e-4);
  network.dispose();
});
