import * as library from "@huggingface/tokenizers";
import { KitError, showValue } from "../error.ts";
import { byteLevel, type PreTokenize, unchanged } from "./encode.ts";

/** One part of tokenizer.json: a normalizer or a pre-tokenizer, by its type, with its settings. */
export interface Part {
  readonly type: string;
  readonly [setting: string]: unknown;
}

/** The functions that make a part of each type; `at` names the part in errors. */
export type Makers<T> = Readonly<Record<string, (part: Part, at: string) => T>>;

/** Makes a part by its type. Throws a KitError for a type that the kit does not compute, whose ids would be silently wrong. */
export function makePart<T>(makers: Makers<T>, part: unknown, at: string): T {
  const type: unknown = (part as Part | null)?.type;
  if (typeof type === "string" && Object.hasOwn(makers, type)) return makers[type]!(part as Part, at);
  throw notComputed(`${at} of type ${showValue(type)}`, `it knows ${Object.keys(makers).join(", ")}`);
}

/** The error for a part of a tokenizer whose ids would differ from Python's. */
export function notComputed(what: string, known: string): KitError {
  return new KitError(
    `The tokenizer has ${what}, which the kit does not compute: ${known}; use a model with another tokenizer.`,
  );
}

/** Makes the parts of a sequence. */
export function makeParts<T>(makers: Makers<T>, list: unknown, at: string): T[] {
  if (!Array.isArray(list)) throw notComputed(`${at} of type "Sequence" without a list`, "it needs one");
  return list.map((part) => makePart(makers, part, at));
}

/** The library's class that translates patterns; the library's own declarations do not resolve under Node's module rules. */
const { ReplaceNormalizer } = library as unknown as {
  ReplaceNormalizer: new (part: object) => { readonly pattern: RegExp };
};

/** A part's pattern, a text or an Oniguruma expression, as a JavaScript expression. Throws a KitError where it cannot be translated. */
export function readPattern({ type, pattern }: Part, at: string): RegExp {
  const { String: text, Regex: expression } = (pattern ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof text === "string" || typeof expression === "string")
    try {
      return new ReplaceNormalizer({ pattern }).pattern;
    } catch {
      // the error is below
    }
  throw notComputed(`${at} of type "${type}" with the pattern ${showValue(pattern)}`, "it needs another pattern");
}

/** Changes a text before it is split. */
export type Normalize = (text: string) => string;

/** Makes tokenizer.json's `normalizer`. Throws a KitError for one that the kit does not compute. */
export function makeNormalizer(part: unknown): Normalize {
  return part === null || part === undefined ? unchanged : makePart(NORMALIZERS, part, "a normalizer");
}

const NORMALIZERS: Makers<Normalize> = {
  Sequence: ({ normalizers }, at) => chain(makeParts(NORMALIZERS, normalizers, at)),
  NFC: () => (text) => text.normalize("NFC"),
  NFD: () => (text) => text.normalize("NFD"),
  NFKC: () => (text) => text.normalize("NFKC"),
  NFKD: () => (text) => text.normalize("NFKD"),
  Lowercase: () => lowercase,
  StripAccents: () => (text) => text.replace(/\p{M}/gu, ""),
  Strip: ({ strip_left: left = true, strip_right: right = true }) =>
    chain([
      ...(left ? [(text: string) => text.replace(/^\p{White_Space}+/u, "")] : []),
      ...(right ? [(text: string) => text.replace(/\p{White_Space}+$/u, "")] : []),
    ]),
  Prepend: (part, at) => {
    const prefix = readText(part, "prepend", at);
    return (text) => (text === "" ? text : prefix + text);
  },
  Replace: (part, at) => {
    const [pattern, content] = [readPattern(part, at), readText(part, "content", at)];
    return (text) => text.replaceAll(pattern, () => content);
  },
  BertNormalizer: bertNormalizer,
};

const chain =
  (steps: readonly Normalize[]): Normalize =>
  (text) =>
    steps.reduce((changed, step) => step(changed), text);

/** Letter by letter, as JavaScript lowers a sigma at a word's end differently. */
const lowercase: Normalize = (text) => Array.from(text, (letter) => letter.toLowerCase()).join("");

/** The Rust library's ranges of Chinese characters. */
const CHINESE =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;

function bertNormalizer(part: Part): Normalize {
  const { clean_text: clean = true, handle_chinese_chars: chinese = true, lowercase: lower = true } = part;
  const accents = part.strip_accents ?? lower;
  return chain([
    ...(clean ? [(text: string) => text.replace(/\p{White_Space}|[\p{C}\ufffd]/gu, spaceOrNothing)] : []),
    ...(chinese ? [(text: string) => text.replace(CHINESE, " $& ")] : []),
    ...(accents ? [(text: string) => text.normalize("NFD").replace(/\p{Mn}/gu, "")] : []),
    ...(lower ? [lowercase] : []),
  ]);
}

const spaceOrNothing = (found: string): string => (/[\t\n\r]|(?!\p{C})\p{White_Space}/u.test(found) ? " " : "");

function readText(part: Part, key: string, at: string): string {
  const value = part[key];
  if (typeof value === "string") return value;
  throw notComputed(`${at} of type "${part.type}" without a text for ${key}`, "it needs one");
}

/** Makes tokenizer.json's `pre_tokenizer`. Throws a KitError for one that the kit does not compute. */
export function makePreTokenizer(part: unknown): PreTokenize {
  return part === null || part === undefined ? (text) => [text] : makePart(PRE_TOKENIZERS, part, "a pre-tokenizer");
}

/** What happens to the matches of the pattern that a text is split at, in the Rust library's terms. */
type Behavior = "Removed" | "Isolated" | "Contiguous" | "MergedWithPrevious" | "MergedWithNext";

const BEHAVIORS: readonly Behavior[] = ["Removed", "Isolated", "Contiguous", "MergedWithPrevious", "MergedWithNext"];
const SPACE = /\p{White_Space}/gu;
const PUNCTUATION = /[\p{P}!-/:-@[-`{-~]/gu;
const WORDS = wordsPattern("[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]");

const PRE_TOKENIZERS: Makers<PreTokenize> = {
  Sequence: sequence,
  ByteLevel: ({ add_prefix_space: prefix = false, use_regex: split = true }) =>
    byteLevel(Boolean(prefix), Boolean(split)),
  Metaspace: metaspace,
  Split: (part, at) => makeSplit(readPattern(part, at), readBehavior(part, at), part.invert === true),
  CharDelimiterSplit: ({ delimiter }, at) =>
    makeSplit(readPattern({ type: "CharDelimiterSplit", pattern: { String: delimiter } }, at), "Removed"),
  Whitespace: () => makeSplit(WORDS, "Removed", true),
  WhitespaceSplit: () => makeSplit(SPACE, "Removed"),
  Punctuation: (part, at) => makeSplit(PUNCTUATION, readBehavior({ behavior: "Isolated", ...part }, at)),
  Digits: ({ individual_digits: alone = false }) => makeSplit(/\p{N}/gu, alone ? "Isolated" : "Contiguous"),
  BertPreTokenizer: () => chainSplits([makeSplit(SPACE, "Removed"), makeSplit(PUNCTUATION, "Isolated")]),
};

function sequence({ pretokenizers }: Part, at: string): PreTokenize {
  const steps = makeParts(PRE_TOKENIZERS, pretokenizers, at);
  const later = (pretokenizers as Part[]).slice(1).some(({ prepend_scheme }) => prepend_scheme === "first");
  if (!later) return chainSplits(steps);
  throw notComputed(
    `${at} of type "Metaspace" with the prepend_scheme "first" after another`,
    "it knows it only as the first",
  );
}

function chainSplits(steps: readonly PreTokenize[]): PreTokenize {
  return (text, first) =>
    steps.reduce((words, step) => words.flatMap((word, i) => step(word, first && i === 0)), [text]);
}

/** SentencePiece's words: a space becomes a visible letter, and each word begins with one. */
function metaspace(part: Part, at: string): PreTokenize {
  const { replacement = "▁", prepend_scheme, add_prefix_space = true, split = true } = part;
  const scheme = prepend_scheme ?? (add_prefix_space ? "always" : "never");
  const cut = makeSplit(readPattern({ type: "Metaspace", pattern: { String: replacement } }, at), "MergedWithNext");
  const letter = String(replacement);
  return (text, first) => {
    const marked = text.replaceAll(" ", letter);
    const prefixed = !marked.startsWith(letter) && (scheme === "always" || (scheme === "first" && first));
    const whole = prefixed ? letter + marked : marked;
    return split ? cut(whole, first) : [whole];
  };
}

function readBehavior(part: Part, at: string): Behavior {
  const found = BEHAVIORS.find((one) => one === part.behavior);
  if (found) return found;
  const asked = `${at} of type "${part.type}" with the behavior ${showValue(part.behavior)}`;
  throw notComputed(asked, `it knows ${BEHAVIORS.join(", ")}`);
}

function wordsPattern(word: string): RegExp {
  return new RegExp(`${word}+|(?:(?!${word})\\P{White_Space})+`, "gu");
}

/** A stretch of a text that matches a pattern, or lies between two matches. */
interface Stretch {
  readonly text: string;
  readonly match: boolean;
}

/** Splits a text at the matches of a pattern; inverted, at the text between them. */
function makeSplit(pattern: RegExp, behavior: Behavior, invert = false): PreTokenize {
  return (text) =>
    JOIN[behavior](stretches(text, pattern, invert))
      .map(({ text }) => text)
      .filter((word) => word !== "");
}

function stretches(text: string, pattern: RegExp, invert: boolean): Stretch[] {
  const found: Stretch[] = [];
  let done = 0;
  for (const { 0: match, index } of text.matchAll(pattern)) {
    if (done < index) found.push({ text: text.slice(done, index), match: invert });
    found.push({ text: match, match: !invert });
    done = index + match.length;
  }
  if (done < text.length) found.push({ text: text.slice(done), match: invert });
  return found;
}

const JOIN: Readonly<Record<Behavior, (stretches: Stretch[]) => Stretch[]>> = {
  Removed: (all) => all.filter(({ match }) => !match),
  Isolated: (all) => all,
  Contiguous: (all) => joinNeighbours(all, (last, next) => last.match === next.match),
  MergedWithPrevious: (all) => joinNeighbours(all, (last, next) => next.match && !last.match),
  MergedWithNext: (all) =>
    joinNeighbours(all.toReversed(), (last, next) => next.match && !last.match, true).toReversed(),
};

/** Joins each stretch to the one before it where `joins` allows; in a reversed list, at its front. */
function joinNeighbours(all: Stretch[], joins: (last: Stretch, next: Stretch) => boolean, reversed = false): Stretch[] {
  const out: Stretch[] = [];
  all.forEach((next, i) => {
    const before = out.at(-1);
    if (!before || !joins(all[i - 1]!, next)) out.push(next);
    else out[out.length - 1] = { ...next, text: reversed ? next.text + before.text : before.text + next.text };
  });
  return out;
}

/** Throws a KitError unless the library knows tokenizer.json's `decoder`, which turns tokens into text. */
export function checkDecoder(part: unknown): void {
  if (part !== null) makePart(DECODERS, part, "a decoder");
}

const known = (): void => {};

const DECODERS: Makers<void> = {
  Sequence: ({ decoders }, at) => void makeParts(DECODERS, decoders, at),
  Replace: (part, at) => void readPattern(part, at),
  ...{ ByteLevel: known, ByteFallback: known, Metaspace: known, Fuse: known, Strip: known },
  ...{ WordPiece: known, BPEDecoder: known, CTC: known },
};
