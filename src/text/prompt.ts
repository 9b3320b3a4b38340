import { KitError } from "../error.ts";
import { leftStrip, strip, stripSpaces } from "./strip.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** What a prompt is made of: texts, the model's begin token and its longest sequence in tokens. */
export interface EncodePromptOptions {
  readonly tokenizer: Tokenizer;
  readonly begin: number;
  readonly maxLength: number;
  /** Examples with their answers, as the task verbalizes them; none for zero-shot. */
  readonly demonstrations: readonly string[];
  /** The example without its answer, such as "great film It was". */
  readonly prompt: string;
  /** The possible answers, each with the space that joins it to the prompt, such as " great". */
  readonly options: readonly string[];
}

/** A text that ends in an answer; the last `optionLength` ids are the answer. */
export interface Candidate {
  readonly ids: Int32Array;
  readonly optionLength: number;
}

/** One example, with a candidate per option in the options' order. */
export interface EncodedExample {
  readonly candidates: readonly Candidate[];
}

const SEPARATOR = "\n\n";

/**
 * An example's candidates as the authors' code encodes them (`encode_prompt`): stripped demonstrations joined by
 * empty lines before it, the answer's length as a difference of token counts, and the left cut away, but for the begin
 * token, where a text is too long. Throws a KitError where an answer adds no token or does not fit.
 */
export function encodePrompt(example: EncodePromptOptions): EncodedExample {
  const { tokenizer, prompt, options } = example;
  const demonstrations = strip(example.demonstrations.map(strip).join(SEPARATOR));
  const promptLength = tokenizer.encode(stripSpaces(prompt)).length;
  const candidates = options.map((option): Candidate => {
    const verbalized = stripSpaces(prompt + option);
    const optionLength = tokenizer.encode(verbalized).length - promptLength;
    const text = stripSpaces(leftStrip(demonstrations + SEPARATOR + verbalized));
    const candidate = { ids: truncate(example, tokenizer.encode(text)), optionLength };
    checkOption(candidate, option, prompt);
    return candidate;
  });
  return { candidates };
}

/** What one forward pass needs to score every option: the ids before the answers, and each option's only token. */
export interface SharedPrompt {
  readonly ids: Int32Array;
  readonly answers: readonly number[];
}

/** The prompt that all candidates share where each answer is one token, else undefined. */
export function sharedPrompt({ candidates }: EncodedExample): SharedPrompt | undefined {
  const ids = candidates[0]?.ids.subarray(0, -1);
  if (!ids || !candidates.every((candidate) => candidate.optionLength === 1 && startsWith(candidate.ids, ids))) return;
  return { ids, answers: candidates.map((candidate) => candidate.ids.at(-1)!) };
}

function startsWith(ids: Int32Array, prefix: Int32Array): boolean {
  return ids.length === prefix.length + 1 && prefix.every((id, i) => id === ids[i]);
}

function truncate({ begin, maxLength }: EncodePromptOptions, ids: readonly number[]): Int32Array {
  return Int32Array.of(begin, ...ids.slice(Math.max(0, ids.length - (maxLength - 1))));
}

function checkOption({ ids, optionLength }: Candidate, option: string, prompt: string): void {
  const asked = `Encoding the option ${JSON.stringify(option)} after ${JSON.stringify(prompt.slice(-40))}`;
  if (optionLength < 1) throw new KitError(`${asked}: it adds no token to the prompt; give each option some text.`);
  if (optionLength >= ids.length) {
    throw new KitError(
      `${asked}: it has ${optionLength} tokens but ${ids.length - 1} fit; shorten it or raise maxLength.`,
    );
  }
}
