import type { LanguageModel } from "../models/network.ts";
import { generateIds } from "../nn/generate.ts";
import { decodeAfter } from "../text/tokenizer.ts";

/** How a text is continued, and who is told of it. */
export interface StreamOptions {
  /** Most new tokens; fewer where the model ends its text, or reads no more. */
  readonly maxNewTokens: number;
  /** Is given each piece of the new text as it comes. */
  readonly onText: (piece: string) => void;
}

/** Continues a sequence of ids greedily up to the model's end of text, and returns the new text. Throws a KitError where the model is masked or the sequence too long. */
export async function streamText(
  model: LanguageModel,
  ids: readonly number[],
  { maxNewTokens, onText }: StreamOptions,
): Promise<string> {
  const { tokenizer, ends } = model;
  const textOf = decodeAfter(tokenizer, ids);
  let shown = 0;
  const show = (text: string, until: number): void => {
    if (until > shown) onText(text.slice(shown, until));
    shown = Math.max(shown, until);
  };
  const stop = (made: readonly number[]): boolean => {
    const text = textOf(made);
    show(text, text.length - unfinished(text));
    return false;
  };
  const [made] = await generateIds(model, [Int32Array.from(ids)], { maxNewTokens, stop, ends });
  const text = textOf(made!);
  show(text, text.length);
  return text;
}

/** How many characters at the end stand for bytes of a letter whose others are still to come. */
const unfinished = (text: string): number => /\ufffd*$/.exec(text)![0].length;
