import * as tf from "@tensorflow/tfjs-core";
import { KitError } from "../error.ts";
import { bestTokens } from "../kernels/bestTokens.ts";
import { embed } from "../kernels/embed.ts";
import { lastTokens, packBatch, type TokenBatch } from "./batch.ts";
import type { KeysValues, Network } from "./network.ts";
import { featuresWithCache } from "./run.ts";

/** Where greedy decoding ends. */
export interface GenerateIdsOptions {
  readonly maxNewTokens: number;
  /** Asked after every new token of a sequence, with all its new ids: true ends that sequence, whose last id stays. */
  readonly stop?: (newIds: readonly number[]) => boolean;
  /** The tokens that end a sequence, which are not part of what is returned. */
  readonly ends?: readonly number[];
}

/** A network and its longest sequence in tokens. */
export type BoundedNetwork = Network & { readonly maxLength: number };

/**
 * Continues each prompt greedily, token by token: the new ids of each, in the prompts' order. Keys and values are kept, so every
 * token is run once, and a sequence leaves the batch where it ends. Throws a KitError for masked models and for a prompt that has no
 * tokens or leaves no room for the new ones.
 */
export async function generateIds(
  network: BoundedNetwork,
  prompts: readonly Int32Array[],
  options: GenerateIdsOptions,
): Promise<number[][]> {
  check(network, prompts, options);
  const made: number[][] = prompts.map(() => []);
  let running = prompts.map((_, i) => i).sort((a, b) => prompts[a]!.length - prompts[b]!.length || a - b);
  if (options.maxNewTokens === 0) return made;
  let batch = packBatch(running.map((i) => prompts[i]!));
  let past: readonly KeysValues[] | undefined;
  while (running.length > 0) {
    const { ids, present } = await nextTokens(network, batch, past);
    disposeKeysValues(past);
    let kept: number[];
    try {
      kept = running.flatMap((of, i) => (addToken(made[of]!, ids[i]!, options) ? [i] : []));
    } catch (error) {
      disposeKeysValues(present);
      throw error;
    }
    running = kept.map((i) => running[i]!);
    past = running.length > 0 ? chooseSequences(present, kept) : undefined;
    if (past !== present) disposeKeysValues(present);
    const starts = running.map((of) => prompts[of]!.length + made[of]!.length - 1);
    batch = { ids: Int32Array.from(kept, (i) => ids[i]!), lengths: kept.map(() => 1), starts };
  }
  return made;
}

function check(network: BoundedNetwork, prompts: readonly Int32Array[], { maxNewTokens }: GenerateIdsOptions): void {
  if (network.prompts === "masked")
    throw new KitError("Text was asked of a masked model, which only fills masks: use a decoder such as OPT.");
  const longest = Math.max(0, ...prompts.map(({ length }) => length));
  if (prompts.some(({ length }) => length === 0))
    throw new KitError("A prompt without tokens cannot be continued: begin it with the model's begin token.");
  if (longest + maxNewTokens > network.maxLength)
    throw new KitError(
      `${maxNewTokens} new tokens after a prompt of ${longest} were asked for, but the model reads ${network.maxLength}: shorten the prompt or ask for fewer.`,
    );
}

/** Adds a new id to a sequence and says whether the sequence continues. */
function addToken(made: number[], id: number, { maxNewTokens, stop, ends }: GenerateIdsOptions): boolean {
  if (ends?.includes(id)) return false;
  made.push(id);
  return made.length < maxNewTokens && !stop?.(made);
}

/** The likeliest token after each sequence of the batch, and what the next step needs. */
async function nextTokens(
  network: Network,
  batch: TokenBatch,
  past: readonly KeysValues[] | undefined,
): Promise<{ ids: Int32Array; present: readonly KeysValues[] }> {
  const { features, present } = featuresWithCache(network, batch, lastTokens(batch), past);
  const best = bestTokens(features, network.head.weight, network.head.bias);
  features.dispose();
  const ids = Int32Array.from(await best.data());
  best.dispose();
  return { ids, present };
}

/** The pasts of some sequences, by index: the same ones where all stay. */
function chooseSequences(past: readonly KeysValues[], which: readonly number[]): readonly KeysValues[] {
  if (past[0]?.lengths.length === which.length) return past;
  return past.map(({ keys, values, lengths }) => {
    const ends = lastTokens({ lengths });
    const rows = which.flatMap((i) => Array.from({ length: lengths[i]! }, (_, j) => ends[i]! - lengths[i]! + 1 + j));
    const choose = (t: tf.Tensor): tf.Tensor => tf.tidy(() => embed(tf.tensor1d(rows, "int32"), t));
    return { keys: choose(keys), values: choose(values), lengths: which.map((i) => lengths[i]!) };
  });
}

function disposeKeysValues(past: readonly KeysValues[] | undefined): void {
  for (const { keys, values } of past ?? []) tf.dispose([keys, values]);
}
