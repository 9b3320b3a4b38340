import { checkOptions, KitError, showValue } from "../error.ts";
import { type Begin, checkBegin } from "../loss/encode.ts";
import { runByTokens } from "../loss/passes.ts";
import type { LanguageModel } from "../models/network.ts";
import { generateIds } from "../nn/generate.ts";
import type { Progress } from "../tensor/progress.ts";
import { decodeAfter } from "../text/tokenizer.ts";

/** Settings of writing texts on. */
export interface GenerateOptions {
  /** 50 where it is left out; fewer where the text ends before. */
  readonly maxNewTokens?: number;
  /** Texts before which a continuation ends, such as a line break, beside the model's end tokens. */
  readonly stop?: string | readonly string[];
  /** The begin token that the model was tuned with, or else that which its tokenizer puts before texts, unless another is given. */
  readonly begin?: Begin;
  readonly onProgress?: Progress;
}

/**
 * Continues each text greedily and gives the new part of each, in order: up to one of the model's end tokens, a `stop` text (of which
 * nothing is given), or as many tokens as asked for. Texts are read as they stand, several of them at once, and the keys and values
 * of their tokens are kept. Throws a KitError for masked models, and for a text that leaves no room for the new tokens.
 */
export async function generate(
  model: LanguageModel,
  texts: readonly string[],
  options: GenerateOptions = {},
): Promise<string[]> {
  const { begin, maxNewTokens = 50, stop = [], onProgress = () => {}, ...unknown } = options;
  checkOptions("generate", unknown, ["maxNewTokens", "stop", "begin", "onProgress"]);
  if (begin !== undefined) checkBegin(begin);
  if (!Array.isArray(texts))
    throw new KitError(`generate continues a list of texts, not ${showValue(texts)}: give [text].`);
  if (!(Number.isInteger(maxNewTokens) && maxNewTokens >= 0))
    throw new KitError(`generate needs a whole number from 0 on for maxNewTokens, not ${maxNewTokens}.`);
  const { tokenizer, ends } = model;
  const stops = (typeof stop === "string" ? [stop] : stop).filter((one) => one !== "");
  const prompts = texts.map((text) => Int32Array.from(encodeStart(model, text, begin)));
  const textOf = (ids: readonly number[]): string => tokenizer.decode(ids);
  let [made, done] = [0, 0];
  const total = texts.length * maxNewTokens;
  const isOver = (ids: readonly number[]): boolean => {
    onProgress({ label: "generate", done: done + ++made, total });
    return stops.length > 0 && findStop(textOf(ids), stops) >= 0;
  };
  return runByTokens(
    prompts.map(({ length }) => length),
    async (items) => {
      const own = items.map((i) => prompts[i]!);
      const ids = await generateIds(model, own, { maxNewTokens, stop: isOver, ends });
      [made, done] = [0, done + items.length * maxNewTokens];
      return ids.map((one, i) => cutAt(decodeAfter(tokenizer, [...own[i]!])(one), stops));
    },
  );
}

/**
 * The ids of a text that a model continues: after the begin token that is asked for, or that the model was tuned with; else, as in
 * transformers, after that of its config, or after none where its tokenizer puts none.
 */
export function encodeStart(model: LanguageModel, text: string, asked: Begin | undefined = model.tunedBegin): number[] {
  const { tokenizer, begin } = model;
  const own = tokenizer.special.begin === null ? undefined : begin.config;
  const first = asked === undefined ? own : begin[asked];
  return [...(first === undefined ? [] : [first]), ...tokenizer.encode(text)];
}

/** Where the first of some texts begins in a text; −1 where none is in it. */
function findStop(text: string, stops: readonly string[]): number {
  const places = stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
  return places.length > 0 ? Math.min(...places) : -1;
}

function cutAt(text: string, stops: readonly string[]): string {
  const at = findStop(text, stops);
  return at < 0 ? text : text.slice(0, at);
}
