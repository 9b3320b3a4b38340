import type { LanguageModel } from "../models/model.ts";
import { paperGrid } from "../report/paperGrid.ts";

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

/** The defaults of a method for a model: for those that ship with the kit their own, for others out of the paper's grids (Tables 15 and 16). */
export function settingsFor({ id, prompts }: Pick<LanguageModel, "id" | "prompts">, method: Trained): Settings {
  return BUNDLED[id]?.[method] ?? paperSettings(prompts, method);
}

/** FT takes the first rate of its grid and the only batch size that all of FT's grids have, Table 16's; MeZO the middle rate, the first of two. */
function paperSettings(prompts: LanguageModel["prompts"], method: Trained): Settings {
  const [opt, roberta] = [paperGrid("OPT"), paperGrid("RoBERTa")];
  const family = prompts === "masked" ? roberta : opt;
  const { lr, eps, batchSize, steps } = family[method] ?? roberta[method]!; // Table 16 lacks FT's adapters
  if (method.startsWith("FT")) return row(lr[0]!, 0, family.FT!.steps!, opt.FT!.batchSize[0]!);
  return row(lr[Math.floor((lr.length - 1) / 2)]!, eps![0]!, steps!, batchSize[0]!);
}
