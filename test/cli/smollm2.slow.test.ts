import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { command, folder, inShell } from "./mezo.ts";

const file = process.env.MEZO_SMOLLM2;
const isThere = file !== undefined && existsSync(file);

/** Weights of the model; its 16-bit and float32 forms take 2 and 4 bytes each. */
const WEIGHTS = 134_515_008;

/** A module by which a process says on stderr how much memory it has held at most. */
function peakModule(): string {
  const path = join(folder(), "peak.mjs");
  const says = "console.error(/VmHWM.*/.exec(readFileSync('/proc/self/status', 'utf8'))[0])";
  writeFileSync(path, `import { readFileSync } from "node:fs";\nprocess.on("exit", () => ${says});\n`);
  return path;
}

describe.skipIf(!isThere)(
  `SmolLM2-135M-Instruct as GGUF${isThere ? "" : ": skipped, MEZO_SMOLLM2 names no file"}`,
  () => {
    test("continues a text in 1.2 times the weights' memory and 120 MB", {
      skip: !existsSync("/proc/self/status"),
    }, () => {
      const asked = ["generate", "--model", file!, "--max-new-tokens", "30", "--backend", "native", "Once upon a time"];
      const { stdout, stderr } = inShell(`NODE_OPTIONS=--import=${peakModule()} "$0" "$@"`, asked, folder());
      expect(stdout).toMatch(/^, the city of Nova Haven was a thriving metropolis, /);
      const bytes = 1024 * Number(/VmHWM:\s+(\d+) kB/.exec(stderr)![1]);
      expect(bytes).toBeLessThan(1.2 * 4 * WEIGHTS + 120e6);
    });

    test("talks by its own template, a turn a line", () => {
      const lines = "What is the capital of France?\\nAnd of Italy?\\n";
      const { stdout } = inShell(`printf '${lines}' | "$0" "$@"`, ["chat", "--model", file!], folder());
      expect(stdout).toMatch(/^The capital of France is Paris\..*\n.*Rome/);
    });

    test("is inspected without its weights being read", () => {
      const { stdout } = command("main", ["inspect", file!]);
      expect(stdout).toMatch(/^Family +llama, continues texts$/m);
      expect(stdout).toMatch(/^model\.layers\.\*\.mlp\.down_proj\.weight +0–29 +Q4_1 \[576, 1536\] +26,542,080$/m);
      expect(stdout).toMatch(/^all +272 tensors +134,515,008$/m);
      expect(stdout).toMatch(/^The kit +loads it\.$/m);
    });
  },
);
