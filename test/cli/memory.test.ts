import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { emptyFolder, standIn } from "../standIn.ts";
import { command } from "./mezo.ts";

const memory = (...args: string[]): ReturnType<typeof command> => command("main", ["memory", ...args]);

afterEach(() => void vi.unstubAllEnvs());

/** A card of 80,000 MiB of which 30,000 are free. */
function stubGpu(): void {
  vi.stubEnv("CUDA_VISIBLE_DEVICES", undefined);
  standIn("nvidia-smi", "echo 'NVIDIA A100 80GB, 80000, 30000'");
}

test("mezo memory says in one table what each method needs with the paper's OPT-13B, held against the GPU that was found, without a file of the model", () => {
  stubGpu();
  const model = ["--model", "facebook/opt-13b", "--weights", "float16", "--backend", "tensorflow"];
  const { status, stdout, stderr } = memory(...model, "--batch-size", "1", "--tokens", "400");
  expect(stderr).toBe("");
  expect(status).toBe(0);
  expect(stdout).toMatch(
    /^facebook\/opt-13b, 12,853,473,280 weights in float16, on tensorflow; a step of 1 example of 400 tokens; in GiB:$/m,
  );
  expect(stdout).toMatch(/^│ MeZO +│ +23\.9 │ .*│ +25\.\d │ +yes │ +any │$/m);
  expect(stdout).toMatch(/^│ FT +│ +23\.9 │ .*│ +47\.9 │ +0\.0 │ +7\d\.\d │ +no │ +0 │$/m);
  expect(stdout).toMatch(/^│ Zero-shot .*│ +yes │ +– │$/m);
  expect(stdout).toContain("Fits: in the 29.3 GiB that are free of the 78.1 GiB of NVIDIA A100 80GB;");
  expect(stdout).toContain("What the optimizer keeps stays in the process: for FT 95.8 GiB.");
});

test("mezo memory gives the same in bytes as JSON; without a GPU it is this machine's memory", () => {
  const { status, stdout } = memory("--json");
  expect(status).toBe(0);
  const told = JSON.parse(stdout);
  expect(told).toMatchObject({
    model: "opt-reviews",
    weights: "float32",
    backend: "native",
    batchSize: 16,
    tokens: 64,
  });
  expect(told.room).toMatchObject({ name: "this machine", isGpu: false });
  expect(told.room.freeBytes).toBeLessThanOrEqual(told.room.totalBytes);
  const { bytes, totalBytes } = told.methods.find(({ method }: { method: string }) => method === "FT");
  expect(bytes.weights).toBe(4 * 5_519_360);
  expect(Object.values<number>(bytes).reduce((a, b) => a + b, 0)).toBe(totalBytes);
});

test("mezo memory reads a folder's config.json and no weight", () => {
  const folder = emptyFolder();
  const sizes = { vocab_size: 100, hidden_size: 8, num_hidden_layers: 2, ffn_dim: 16, num_attention_heads: 2 };
  const config = { model_type: "opt", max_position_embeddings: 100, ...sizes };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  expect(memory("--model", folder).stdout).toMatch(/, 2,832 weights in float32, on native;/);
});

test.each([
  [["--model", "owner/unknown"], /^Looking for the model owner\/unknown[^\n]*\.\n$/],
  [
    ["--backend", "cuda"],
    /^option '--backend <name>' argument 'cuda' is invalid: allowed choices are auto, native,[^\n]*\.\n$/,
  ],
  [
    ["--batch-size", "many"],
    /^option '--batch-size <n>' argument 'many' is invalid: it must be a whole number of at least 1;[^\n]*\.\n$/,
  ],
  [
    ["--tokens", "2000"],
    /^Examples of 2000 tokens were asked for, but opt-reviews reads 1024 at most: ask for fewer with --tokens\.\n$/,
  ],
  [
    ["--weights", "float16", "--backend", "cpu"],
    /^Weights in float16 were asked for, which the cpu backend does not keep: [^\n]*\.\n$/,
  ],
])("mezo memory %j says in one sentence what is wrong", (args, sentence) => {
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  vi.stubEnv("HF_HUB_CACHE", emptyFolder());
  const { status, stdout, stderr } = memory(...args);
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(sentence);
});
