import { KitError } from "../error.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { leftStrip, strip, stripSpaces } from "./whitespace.ts";

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

/** What one forward pass needs to score every option: its ids, the index of the one whose logits are read, and each option's only token. */
export interface SharedPrompt {
  readonly ids: Int32Array;
  readonly at: number;
  readonly answers: readonly number[];
}

/** One example: a candidate per option in the options' order (none for a masked prompt), and what they share where each is one token. */
export interface EncodedExample {
  readonly candidates: readonly Candidate[];
  readonly shared?: SharedPrompt;
}

/** Tokens that are kept free after a prompt for an answer to be generated (the authors' setting). */
const ANSWER_ROOM = 50;

const SEPARATOR = "\n\n";

/**
 * An example's candidates as the authors' code encodes them (`encode_prompt`): stripped demonstrations joined by
 * empty lines before it, the answer's length as a difference of token counts, and the left cut away, but for the begin
 * token, where a text is too long. Throws a KitError where an answer adds no token or does not fit.
 */
export function encodePrompt(example: EncodePromptOptions): EncodedExample {
  const { tokenizer, prompt, options } = example;
  const promptLength = tokenizer.encode(stripSpaces(prompt)).length;
  const candidates = options.map((option): Candidate => {
    const verbalized = stripSpaces(prompt + option);
    const optionLength = tokenizer.encode(verbalized).length - promptLength;
    const candidate = {
      ids: truncate(example, tokenizer.encode(withDemonstrations(example, verbalized))),
      optionLength,
    };
    checkOption(candidate, option, prompt);
    return candidate;
  });
  const shared = sharedPrompt(candidates);
  return shared ? { candidates, shared } : { candidates };
}

/**
 * The ids after which an answer is generated: the begin token, the demonstrations and the prompt, the left cut away where fewer than 50
 * tokens would be free. Throws where the model's longest sequence leaves no room for a prompt.
 */
export function encodeGeneration(example: EncodePromptOptions): Int32Array {
  const { tokenizer, prompt, maxLength } = example;
  const most = maxLength - ANSWER_ROOM;
  if (most < 2) {
    throw new KitError(
      `Encoding a prompt for an answer of ${ANSWER_ROOM} tokens: sequences of ${maxLength} tokens leave no room for it; take a model with longer ones.`,
    );
  }
  const text = withDemonstrations(example, stripSpaces(prompt));
  return truncate({ ...example, maxLength: most }, tokenizer.encode(text));
}

function withDemonstrations({ demonstrations }: EncodePromptOptions, text: string): string {
  const shown = strip(demonstrations.map(strip).join(SEPARATOR));
  return stripSpaces(leftStrip(shown + SEPARATOR + text));
}

/** The prompt that all candidates share where each answer is one token, else undefined. */
function sharedPrompt(candidates: readonly Candidate[]): SharedPrompt | undefined {
  const ids = candidates[0]?.ids.subarray(0, -1);
  if (!ids || !candidates.every((candidate) => candidate.optionLength === 1 && startsWith(candidate.ids, ids))) return;
  return { ids, at: ids.length - 1, answers: candidates.map((candidate) => candidate.ids.at(-1)!) };
}

export function startsWith(ids: Int32Array, prefix: Int32Array): boolean {
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
