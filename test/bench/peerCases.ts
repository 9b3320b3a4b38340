import type { BenchRequest, CaseRequest } from "./request.ts";

/** What our time and memory over a peer's shall not exceed. */
export interface Target {
  readonly time: number;
  readonly memory: number;
}

/** The two ways in which a peer runs. */
export type PeerKind = "authors" | "tuned";

/** A comparison: our step, the peers' arguments for the same one, and the targets. */
export interface PeerCase {
  readonly name: string;
  readonly title: string;
  readonly ours: Pick<CaseRequest, "method" | "rows" | "tokens" | "noise" | "loss">;
  /** Peers have normal noise alone: cases with equal arguments are compared with the same peer's runs. */
  readonly args: readonly string[];
  readonly targets: Readonly<Record<PeerKind, Target>>;
}

const OURS = { method: "MeZO", rows: 16, tokens: 64, noise: "gaussian", loss: "answer" } as const;
const FULL = ["--mode", "mezo", "--batch", "16", "--seq", "64"];

const targets = (authors: number, tuned: number): PeerCase["targets"] => ({
  authors: { time: authors, memory: 0.6 },
  tuned: { time: tuned, memory: 0.9 },
});

/** The comparisons, in the order of the table. */
export const peerCases: readonly PeerCase[] = [
  {
    ...{ name: "gaussian", title: "language-model loss, Gaussian", ours: OURS },
    ...{ args: FULL, targets: targets(0.5, 0.9) },
  },
  {
    ...{ name: "rademacher", title: "language-model loss, Rademacher", ours: { ...OURS, noise: "rademacher" } },
    ...{ args: FULL, targets: targets(0.42, 0.75) },
  },
  {
    ...{ name: "classification", title: "classification, 2 candidates", ours: { ...OURS, loss: "candidates" } },
    ...{ args: [...FULL, "--objective", "cls"], targets: targets(0.33, 0.5) },
  },
  {
    ...{ name: "lora", title: "MeZO (LoRA)", ours: { ...OURS, method: "MeZO (LoRA)" } },
    ...{ args: ["--mode", "mezo-lora", "--batch", "16", "--seq", "64"], targets: targets(0.65, 1) },
  },
  {
    ...{ name: "long", title: "16 rows x 256 tokens", ours: { ...OURS, tokens: 256 } },
    ...{ args: ["--mode", "mezo", "--batch", "16", "--seq", "256"], targets: targets(0.5, 0.95) },
  },
];

/** Our side of a comparison. */
export function ourRequest(
  { ours }: PeerCase,
  { steps, threads }: Pick<BenchRequest, "steps" | "threads">,
): CaseRequest {
  return { model: "opt-125m", weights: "float32", ...ours, steps, threads };
}
