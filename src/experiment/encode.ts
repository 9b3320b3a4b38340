import type { LanguageModel } from "../models/model.ts";
import type { Example } from "../tasks/task.ts";
import { type EncodedExample, encodePrompt } from "../text/prompt.ts";
import type { LabelledBatch } from "./losses.ts";

/** Which begin token: 0, as the paper's code sets it, or the one that the model's config names. */
export type Begin = "mezo" | "config";

/** An example's candidates as token ids, after the demonstrations given. */
export function encodeExample(
  model: LanguageModel,
  { prompt, options }: Example,
  begin: Begin,
  demonstrations: readonly string[] = [],
): EncodedExample {
  const { tokenizer, maxLength } = model;
  return encodePrompt({ tokenizer, begin: model.begin[begin], maxLength, demonstrations, prompt, options });
}

/** Examples without demonstrations, with their right answers. */
export function encodeBatch(model: LanguageModel, examples: readonly Example[], begin: Begin): LabelledBatch {
  return {
    examples: examples.map((example) => encodeExample(model, example, begin)),
    gold: examples.map(({ gold }) => gold),
  };
}
