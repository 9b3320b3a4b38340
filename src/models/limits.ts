import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Checkpoint } from "../checkpoints/folder.ts";
import { readObject } from "../checkpoints/json.ts";
import { KitError, showValue } from "../error.ts";
import type { Network } from "../nn/network.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { tokenIds } from "./config.ts";
import { type Limits, listEnds, type ModelFamily } from "./family.ts";

const GENERATION = "generation_config.json";

/**
 * The limits of a checkpoint's model. As in transformers, the end tokens of generation_config.json, where it names any, go before those of
 * config.json. Throws a KitError for ones that no token has.
 */
export function readLimits({ folder, config }: Checkpoint, family: ModelFamily): Limits {
  const limits = family.limits(config);
  const path = join(folder, GENERATION);
  const found = existsSync(path) ? (readObject(path).eos_token_id ?? undefined) : undefined;
  if (found === undefined) return limits;
  if (tokenIds.fits(found, config)) return { ...limits, ends: listEnds(found as number | readonly number[]) };
  throw new KitError(
    `Reading ${path}: eos_token_id needs ${tokenIds.needs}, not ${showValue(found)}; correct it or remove the file.`,
  );
}

/**
 * The begin tokens of a network with this tokenizer: where the family has none by itself, the one that the tokenizer puts before a text; and
 * for `mezo` none where its files say that it puts none, as the paper's code encodes texts. Masked models were trained with one.
 */
export function readBegin(
  network: Pick<Limits & Network, "begin" | "prompts">,
  { special }: Tokenizer,
): Limits["begin"] {
  const { mezo, config } = network.begin;
  const { begin } = special;
  if (begin === null && network.prompts === "autoregressive") return { mezo: undefined, config };
  return { mezo: mezo ?? begin ?? undefined, config: config ?? begin ?? undefined };
}
