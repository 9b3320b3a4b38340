import type { ModelFamily } from "./family.ts";
import { opt } from "./opt.ts";

/** Families by config.json's `model_type`; adding one adds a line. */
export const families: Readonly<Record<string, ModelFamily>> = { opt };
