import type { LanguageModel } from "../models/model.ts";
import { generate } from "../nn/generate.ts";
import { encodeGeneration } from "../text/prompt.ts";
import { type Begin, formOf, type LabelledBatch } from "./encode.ts";
import { passesOf } from "./passes.ts";

/** Longest generated answer, in tokens (the authors' setting). */
const MAX_NEW_TOKENS = 50;

/** A generated answer and the right ones. */
export interface GeneratedAnswer {
  readonly answer: string;
  readonly right: readonly string[];
}

/** Settings of generation: the begin token, and demonstrations for each example of the batch. */
export interface GenerateOptions {
  readonly begin?: Begin;
  readonly demonstrations?: (index: number) => readonly string[];
}

/** Answers generated greedily after each example's prompt, up to the end of the line or of the text, or 50 tokens. */
export async function generateAnswers(
  model: LanguageModel,
  { texts }: Pick<LabelledBatch, "texts">,
  { begin = "mezo", demonstrations = () => [] }: GenerateOptions = {},
): Promise<GeneratedAnswer[]> {
  const { tokenizer, maxLength } = model;
  const forms = texts.map((example) => formOf(example, "autoregressive"));
  const prompts = forms.map(({ prompt, options }, i) =>
    encodeGeneration({
      ...{ tokenizer, begin: model.begin[begin], maxLength, prompt, options },
      demonstrations: demonstrations(i),
    }),
  );
  const answers: string[] = [];
  const text = (ids: readonly number[]): string => tokenizer.decode(ids);
  for (const items of passesOf(prompts.map((ids) => ids.length))) {
    const part = items.map((i) => prompts[i]!);
    const made = await generate(model, part, {
      maxNewTokens: MAX_NEW_TOKENS,
      stop: (ids) => text(ids).includes("\n"),
      ...(model.end !== undefined && { end: model.end }),
    });
    made.forEach((ids, i) => {
      answers[items[i]!] = text(ids).split("\n")[0]!;
    });
  }
  return forms.map(({ options }, i) => ({ answer: answers[i]!, right: options }));
}
