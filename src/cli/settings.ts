import type { LanguageModel } from "../models/model.ts";

/** Methods that train, as the paper's tables print them. */
export type Trained = "FT" | "FT (LoRA)" | "FT (prefix)" | "MeZO" | "MeZO (LoRA)" | "MeZO (prefix)";

/** What a training method takes where the command line says nothing; eps is MeZO's alone. */
export interface Settings {
  readonly lr: number;
  readonly eps: number;
  readonly steps: number;
  readonly batchSize: number;
}

type Table = Readonly<Record<Trained, Settings>>;

const row = (lr: number, eps: number, steps: number, batchSize: number): Settings => ({ lr, eps, steps, batchSize });

/** For each kind of model the first values of the paper's grids: Table 16 for OPT (FT's adapters, which it lacks, as in Table 15), Table 15 for RoBERTa. */
const PAPER: Readonly<Record<LanguageModel["prompts"], Table>> = {
  autoregressive: {
    FT: row(1e-5, 0, 625, 8),
    "FT (LoRA)": row(1e-4, 0, 625, 8),
    "FT (prefix)": row(1e-2, 0, 625, 8),
    MeZO: row(1e-6, 1e-3, 20_000, 16),
    "MeZO (LoRA)": row(1e-4, 1e-2, 20_000, 16),
    "MeZO (prefix)": row(1e-2, 1e-1, 20_000, 16),
  },
  masked: {
    FT: row(1e-5, 0, 1000, 8),
    "FT (LoRA)": row(1e-4, 0, 1000, 8),
    "FT (prefix)": row(1e-2, 0, 1000, 8),
    MeZO: row(1e-6, 1e-3, 100_000, 64),
    "MeZO (LoRA)": row(5e-5, 1e-3, 100_000, 64),
    "MeZO (prefix)": row(5e-3, 1e-1, 100_000, 64),
  },
};

/** For the models that ship with the kit: small models take larger steps, and few steps fit a laptop. */
const BUNDLED: Readonly<Record<string, Table>> = {
  "opt-reviews": {
    FT: row(3e-4, 0, 120, 16),
    "FT (LoRA)": row(3e-3, 0, 120, 16),
    "FT (prefix)": row(3e-2, 0, 120, 16),
    MeZO: row(1e-4, 1e-3, 2000, 16),
    "MeZO (LoRA)": row(1e-3, 1e-2, 1000, 16),
    "MeZO (prefix)": row(1e-1, 1e-1, 1000, 16),
  },
  "roberta-reviews": {
    FT: row(1e-4, 0, 120, 16),
    "FT (LoRA)": row(1e-3, 0, 120, 16),
    "FT (prefix)": row(3e-2, 0, 120, 16),
    MeZO: row(5e-5, 1e-3, 1000, 16),
    "MeZO (LoRA)": row(1e-3, 1e-2, 1000, 16),
    "MeZO (prefix)": row(1, 1e-1, 1000, 16),
  },
};

/** The defaults of a method for a model. */
export function settingsFor({ id, prompts }: Pick<LanguageModel, "id" | "prompts">, method: Trained): Settings {
  return (BUNDLED[id] ?? PAPER[prompts])[method];
}
