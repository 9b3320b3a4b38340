import type { BenchRequest, CaseRequest } from "./request.ts";

/** What our time and memory over a peer's shall not exceed. */
export interface Target {
  readonly time: number;
  /** Where our weights are in the same format as the peer's. */
  readonly memory?: number;
}

/** The ways in which a peer runs. */
export type PeerKind = "authors" | "tuned" | "authors-bfloat16" | "tuned-bfloat16";

/** A comparison: our step, the peers' arguments for the same one, and the targets, which are those of two cores with AMX. */
export interface PeerCase {
  readonly name: string;
  readonly title: string;
  readonly ours: Pick<CaseRequest, "method" | "rows" | "tokens" | "noise" | "loss">;
  /** Peers have normal noise alone: cases with equal arguments are compared with the same peer's runs. */
  readonly args: readonly string[];
  readonly targets: Readonly<Partial<Record<PeerKind, Target>>>;
}

const OURS = { method: "MeZO", rows: 16, tokens: 64, noise: "gaussian", loss: "answer" } as const;
const FULL = ["--mode", "mezo", "--batch", "16", "--seq", "64"];

/** By time: to the authors' step, and to the tuned one in float32 and in bfloat16. */
const targets = (authors: number, tuned: number, bfloat16: number): PeerCase["targets"] => ({
  authors: { time: authors, memory: 0.6 },
  tuned: { time: tuned, memory: 0.9 },
  "tuned-bfloat16": { time: bfloat16 },
});

/** The comparisons, in the order of the table. */
export const peerCases: readonly PeerCase[] = [
  {
    ...{ name: "gaussian", title: "language-model loss, Gaussian", ours: OURS },
    ...{ args: FULL, targets: targets(0.14, 0.3, 0.42) },
  },
  {
    ...{ name: "rademacher", title: "language-model loss, Rademacher", ours: { ...OURS, noise: "rademacher" } },
    ...{ args: FULL, targets: targets(0.12, 0.27, 0.4) },
  },
  {
    ...{ name: "classification", title: "classification, 2 candidates", ours: { ...OURS, loss: "candidates" } },
    ...{ args: [...FULL, "--objective", "cls"], targets: targets(0.09, 0.18, 0.3) },
  },
  {
    ...{ name: "lora", title: "MeZO (LoRA)", ours: { ...OURS, method: "MeZO (LoRA)" } },
    ...{ args: ["--mode", "mezo-lora", "--batch", "16", "--seq", "64"], targets: targets(0.25, 0.4, 0.9) },
  },
  {
    ...{ name: "long", title: "16 rows x 256 tokens", ours: { ...OURS, tokens: 256 } },
    ...{ args: ["--mode", "mezo", "--batch", "16", "--seq", "256"], targets: targets(0.15, 0.33, 0.85) },
  },
];

/** What our step's peak memory over that of our own inference shall not exceed, with weights in 32 and in 16 bits. */
export const MEMORY_TARGET = 1.1;

/** Our side of a comparison. */
export function ourRequest(
  { ours }: PeerCase,
  { steps, threads, products }: Pick<BenchRequest, "steps" | "threads" | "products">,
): CaseRequest {
  return { model: "opt-125m", weights: "float32", ...ours, steps, threads, products };
}
