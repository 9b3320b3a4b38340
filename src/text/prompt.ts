import { KitError } from "../error.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Python's white space: unlike JavaScript's, with U+001C to U+001F and U+0085, and without U+FEFF. */
const SPACE = "[\\p{White_Space}\\u001c-\\u001f]+";
const LEFT = new RegExp(`^${SPACE}`, "u");
const RIGHT = new RegExp(`${SPACE}$`, "u");
const BETWEEN = new RegExp(SPACE, "u");

/** The text without white space at its ends, as Python's str.strip(). */
export function strip(text: string): string {
  return leftStrip(text).replace(RIGHT, "");
}

/** The text without white space at its start, as Python's str.lstrip(). */
export function leftStrip(text: string): string {
  return text.replace(LEFT, "");
}

/** The text without spaces at its ends; other white space stays, as with Python's str.strip(" "). */
export function stripSpaces(text: string): string {
  return text.replace(/^ +| +$/g, "");
}

/** The text without white space at its end, as Python's str.rstrip(). */
export function rightStrip(text: string): string {
  return text.replace(RIGHT, "");
}

/** The pieces of a text between white space, as Python's str.split(). */
export function splitSpace(text: string): string[] {
  return text.split(BETWEEN).filter((piece) => piece !== "");
}

/** What a prompt is encoded from: texts, the model's begin token and its longest sequence in tokens. */
export interface EncodePromptOptions {
  readonly tokenizer: Tokenizer;
  /** Undefined where texts begin with their own first token. */
  readonly begin: number | undefined;
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

/** What one forward pass needs to score all options: the ids, the index of the token whose logits are read, and each option's single token. */
export interface SharedPrompt {
  readonly ids: Int32Array;
  readonly at: number;
  readonly answers: readonly number[];
}

/** An encoded example: a candidate per option in order (none for a masked prompt), and the prompt they share where each is one token. */
export interface EncodedExample {
  readonly candidates: readonly Candidate[];
  readonly shared?: SharedPrompt;
}

/** Tokens kept free after a prompt for the generated answer (the authors' setting). */
const ANSWER_ROOM = 50;

const SEPARATOR = "\n\n";

/**
 * Encodes an example's candidates as the authors' code does (`encode_prompt`): stripped demonstrations, joined by empty lines, come before
 * it; an answer's length is a difference of token counts; a text that is too long loses its left end, except the begin token. Throws a
 * KitError where an answer adds no token or does not fit.
 */
export function encodePrompt(example: EncodePromptOptions): EncodedExample {
  const { tokenizer, prompt, options } = example;
  const promptLength = tokenizer.encode(stripSpaces(prompt)).length;
  const candidates = options.map((option): Candidate => {
    const verbalized = stripSpaces(prompt + option);
    const optionLength = tokenizer.encode(verbalized).length - promptLength;
    const candidate = {
      ids: truncate(example, tokenizer.encode(addDemonstrations(example, verbalized))),
      optionLength,
    };
    checkOption(candidate, option, prompt);
    return candidate;
  });
  const shared = findShared(candidates);
  return shared ? { candidates, shared } : { candidates };
}

/**
 * The ids from which an answer is generated: the begin token, the demonstrations and the prompt, truncated at the left so that 50 tokens
 * stay free. Throws a KitError where the model's longest sequence leaves no room for a prompt.
 */
export function encodeGeneration(example: EncodePromptOptions): Int32Array {
  const { maxLength } = example;
  const most = maxLength - ANSWER_ROOM;
  if (most < 2) {
    throw new KitError(
      `Encoding a prompt for an answer of ${ANSWER_ROOM} tokens: sequences of ${maxLength} tokens leave no room for the prompt; take a model with longer sequences.`,
    );
  }
  return encodeText({ ...example, maxLength: most });
}

/** The ids of the begin token, the demonstrations and the prompt, with no answer after them, truncated at the left. */
export function encodeText(example: Omit<EncodePromptOptions, "options">): Int32Array {
  const text = addDemonstrations(example, stripSpaces(example.prompt));
  return truncate(example, example.tokenizer.encode(text));
}

function addDemonstrations({ demonstrations }: Pick<EncodePromptOptions, "demonstrations">, text: string): string {
  const shown = strip(demonstrations.map(strip).join(SEPARATOR));
  return stripSpaces(leftStrip(shown + SEPARATOR + text));
}

/** The prompt that all candidates share where each answer is one token, else undefined. */
export function findShared(candidates: readonly Candidate[]): SharedPrompt | undefined {
  const ids = candidates[0]?.ids.subarray(0, -1);
  if (!ids || !candidates.every((candidate) => candidate.optionLength === 1 && startsWith(candidate.ids, ids))) return;
  return { ids, at: ids.length - 1, answers: candidates.map((candidate) => candidate.ids.at(-1)!) };
}

function startsWith(ids: Int32Array, prefix: Int32Array): boolean {
  return ids.length === prefix.length + 1 && prefix.every((id, i) => id === ids[i]);
}

function truncate(
  { begin, maxLength }: Pick<EncodePromptOptions, "begin" | "maxLength">,
  ids: readonly number[],
): Int32Array {
  const first = begin === undefined ? [] : [begin];
  return Int32Array.of(...first, ...ids.slice(Math.max(0, ids.length + first.length - maxLength)));
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
