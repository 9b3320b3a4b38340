import { join } from "node:path";
import { KitError } from "../../src/error.ts";
import { run } from "./peerRun.ts";
import { shapesOnBackends } from "./shapes.ts";

/** The most that one measurement of PyTorch's may take. */
export const PEER_SECONDS = 60;

/** What PyTorch is to measure: steps as the authors' trainer makes them, in float16. */
export interface PeerStepRequest {
  readonly model: string;
  readonly rows: number;
  readonly tokens: number;
  readonly steps: number;
  readonly python: string;
  readonly seconds: number;
}

const SCRIPT = join(import.meta.dirname, "peer", "gpu_step.py");

/** PyTorch's medians on the card. Throws a KitError where Python has no PyTorch, or PyTorch no card, and where it fails. */
export async function peerStep({ model, rows, tokens, steps, python, seconds }: PeerStepRequest): Promise<object> {
  const { config } = shapesOnBackends[model]!;
  const shape = [config.num_hidden_layers, config.hidden_size, config.num_attention_heads, config.vocab_size].join(",");
  const args = ["--shape", shape, "--rows", `${rows}`, "--tokens", `${tokens}`, "--steps", `${steps}`];
  const { stdout, stderr, ending } = await run({
    program: "timeout",
    args: [`${seconds.toFixed(0)}`, python, SCRIPT, ...args],
  });
  const last = stdout.trim().split("\n").at(-1) ?? "";
  if (ending === 0 && last.startsWith("{")) return JSON.parse(last) as object;
  const reason = stderr.trim().split("\n").at(-1) || `it ended with ${ending}`;
  throw new KitError(`PyTorch's step was to be measured by ${python}, but: ${reason}.`);
}
