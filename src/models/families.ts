import type { ModelFamily } from "./family.ts";
import { llama } from "./llama.ts";
import { opt } from "./opt.ts";
import { roberta } from "./roberta.ts";

/** Families by config.json's `model_type`; adding one adds a line. */
export const families: Readonly<Record<string, ModelFamily>> = {
  opt,
  roberta,
  llama,
};
