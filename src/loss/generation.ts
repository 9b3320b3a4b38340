import type { LanguageModel } from "../models/network.ts";
import { generateIds } from "../nn/generate.ts";
import { encodeGeneration } from "../text/prompt.ts";
import { type Begin, type LabelledBatch, readForm } from "./encode.ts";
import { runByTokens } from "./passes.ts";

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
  /** Receives how many examples have their answers. */
  readonly onDone?: (done: number) => void;
}

/** Answers generated greedily after each example's prompt, up to the end of the line or of the text, or 50 tokens. */
export async function generateAnswers(
  model: LanguageModel,
  { texts }: Pick<LabelledBatch, "texts">,
  { begin = "mezo", demonstrations = () => [], onDone }: GenerateOptions = {},
): Promise<GeneratedAnswer[]> {
  const { tokenizer, maxLength, ends } = model;
  const forms = texts.map((example) => readForm(example, "autoregressive"));
  const prompts = forms.map(({ prompt, options }, i) =>
    encodeGeneration({
      ...{ tokenizer, begin: model.begin[begin], maxLength, prompt, options },
      demonstrations: demonstrations(i),
    }),
  );
  const text = (ids: readonly number[]): string => tokenizer.decode(ids);
  const stop = (ids: readonly number[]): boolean => text(ids).includes("\n");
  const settings = { maxNewTokens: MAX_NEW_TOKENS, stop, ends };
  const lengths = prompts.map((ids) => ids.length);
  const answer = async (items: readonly number[]): Promise<string[]> => {
    const asked = items.map((i) => prompts[i]!);
    const made = await generateIds(model, asked, settings);
    return made.map((ids) => text(ids).split("\n")[0]!);
  };
  const answers = await runByTokens(lengths, answer, onDone);
  return forms.map(({ options }, i) => ({ answer: answers[i]!, right: options }));
}
