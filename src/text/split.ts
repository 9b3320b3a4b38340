import * as library from "@huggingface/tokenizers";
import { KitError, shown } from "../error.ts";
import { GPT2_PATTERN, toByteLetters } from "./vocabulary.ts";

/** One part of tokenizer.json: a normalizer or a pre-tokenizer, by its type, with its settings. */
export interface Part {
  readonly type: string;
  readonly [setting: string]: unknown;
}

/** What makes a part of each type. */
export type Makers<T> = Readonly<Record<string, (part: Part, at: string) => T>>;

/**
 * What a part of tokenizer.json does, by the makers of what is computed; `at` names it in errors. Throws a KitError for a type that is
 * not among them: another tokenizer's ids would be wrong without a word.
 */
export function makePart<T>(makers: Makers<T>, part: unknown, at: string): T {
  const type: unknown = (part as Part | null)?.type;
  if (typeof type === "string" && Object.hasOwn(makers, type)) return makers[type]!(part as Part, at);
  throw notComputed(`${at} of type ${shown(type)}`, `it knows ${Object.keys(makers).join(", ")}`);
}

/** The error for a part of a tokenizer that would give other ids than in Python. */
export function notComputed(what: string, known: string): KitError {
  return new KitError(
    `The tokenizer has ${what}, which the kit does not compute: ${known}; use a model with another tokenizer.`,
  );
}

/** The parts of a sequence, each with its name. */
export function partsOf<T>(makers: Makers<T>, list: unknown, at: string): T[] {
  if (!Array.isArray(list)) throw notComputed(`${at} of type "Sequence" without a list`, "it needs one");
  return list.map((part) => makePart(makers, part, at));
}

/** The library's class that translates patterns; its own declarations do not resolve under Node's module rules. */
const { ReplaceNormalizer } = library as unknown as {
  ReplaceNormalizer: new (part: object) => { readonly pattern: RegExp };
};

/** A part's pattern, a text or one of Oniguruma's expressions, as an expression of JavaScript's. Throws a KitError where it cannot be translated. */
export function patternOf({ type, pattern }: Part, at: string): RegExp {
  const { String: text, Regex: expression } = (pattern ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof text === "string" || typeof expression === "string")
    try {
      return new ReplaceNormalizer({ pattern }).pattern;
    } catch {
      // Told below.
    }
  throw notComputed(`${at} of type "${type}" with the pattern ${shown(pattern)}`, "it needs another pattern");
}

/** Changes a text before it is split. */
export type Normalize = (text: string) => string;

/** What tokenizer.json's `normalizer` does. Throws a KitError for what is not computed. */
export function normalizerOf(part: unknown): Normalize {
  return part === null || part === undefined ? (text) => text : makePart(NORMALIZERS, part, "a normalizer");
}

const NORMALIZERS: Makers<Normalize> = {
  Sequence: ({ normalizers }, at) => inTurn(partsOf(NORMALIZERS, normalizers, at)),
  NFC: () => (text) => text.normalize("NFC"),
  NFD: () => (text) => text.normalize("NFD"),
  NFKC: () => (text) => text.normalize("NFKC"),
  NFKD: () => (text) => text.normalize("NFKD"),
  Lowercase: () => lowercase,
  StripAccents: () => (text) => text.replace(/\p{M}/gu, ""),
  Strip: ({ strip_left: left = true, strip_right: right = true }) =>
    inTurn([
      ...(left ? [(text: string) => text.replace(/^\p{White_Space}+/u, "")] : []),
      ...(right ? [(text: string) => text.replace(/\p{White_Space}+$/u, "")] : []),
    ]),
  Prepend: (part, at) => {
    const prefix = textOf(part, "prepend", at);
    return (text) => (text === "" ? text : prefix + text);
  },
  Replace: (part, at) => {
    const [pattern, content] = [patternOf(part, at), textOf(part, "content", at)];
    return (text) => text.replaceAll(pattern, () => content);
  },
  BertNormalizer: bertNormalizer,
};

const inTurn =
  (steps: readonly Normalize[]): Normalize =>
  (text) =>
    steps.reduce((changed, step) => step(changed), text);

/** Letter by letter, without JavaScript's other form of a sigma at a word's end. */
const lowercase: Normalize = (text) => Array.from(text, (letter) => letter.toLowerCase()).join("");

/** The Rust library's ranges of Chinese characters. */
const CHINESE =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;

function bertNormalizer(part: Part): Normalize {
  const { clean_text: clean = true, handle_chinese_chars: chinese = true, lowercase: lower = true } = part;
  const accents = part.strip_accents ?? lower;
  return inTurn([
    ...(clean ? [(text: string) => text.replace(/\p{White_Space}|[\p{C}\ufffd]/gu, spaceOrNothing)] : []),
    ...(chinese ? [(text: string) => text.replace(CHINESE, " $& ")] : []),
    ...(accents ? [(text: string) => text.normalize("NFD").replace(/\p{Mn}/gu, "")] : []),
    ...(lower ? [lowercase] : []),
  ]);
}

const spaceOrNothing = (found: string): string => (/[\t\n\r]|(?!\p{C})\p{White_Space}/u.test(found) ? " " : "");

function textOf(part: Part, key: string, at: string): string {
  const value = part[key];
  if (typeof value === "string") return value;
  throw notComputed(`${at} of type "${part.type}" without a text for ${key}`, "it needs one");
}

/** Cuts a text into the words that the model is given; `first` where it stands at the beginning of the whole text. */
export type PreTokenize = (text: string, first: boolean) => string[];

/** What tokenizer.json's `pre_tokenizer` does. Throws a KitError for what is not computed. */
export function preTokenizerOf(part: unknown): PreTokenize {
  return part === null || part === undefined ? (text) => [text] : makePart(PRE_TOKENIZERS, part, "a pre-tokenizer");
}

/** What becomes of the matches of a pattern that text is split at, as the Rust library names it. */
type Behavior = "Removed" | "Isolated" | "Contiguous" | "MergedWithPrevious" | "MergedWithNext";

const BEHAVIORS: readonly Behavior[] = ["Removed", "Isolated", "Contiguous", "MergedWithPrevious", "MergedWithNext"];
const SPACE = /\p{White_Space}/gu;
const PUNCTUATION = /[\p{P}!-/:-@[-`{-~]/gu;
const WORDS = wordsPattern("[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]");

const PRE_TOKENIZERS: Makers<PreTokenize> = {
  Sequence: sequence,
  ByteLevel: ({ add_prefix_space: prefix = false, use_regex: split = true }) => {
    return (text) => {
      const spaced = prefix && !text.startsWith(" ") ? ` ${text}` : text;
      return (split ? (spaced.match(GPT2_PATTERN) ?? []) : [spaced]).map(toByteLetters);
    };
  },
  Metaspace: metaspace,
  Split: (part, at) => splitting(patternOf(part, at), behaviorOf(part, at), part.invert === true),
  CharDelimiterSplit: ({ delimiter }, at) =>
    splitting(patternOf({ type: "CharDelimiterSplit", pattern: { String: delimiter } }, at), "Removed"),
  Whitespace: () => splitting(WORDS, "Removed", true),
  WhitespaceSplit: () => splitting(SPACE, "Removed"),
  Punctuation: (part, at) => splitting(PUNCTUATION, behaviorOf({ behavior: "Isolated", ...part }, at)),
  Digits: ({ individual_digits: alone = false }) => splitting(/\p{N}/gu, alone ? "Isolated" : "Contiguous"),
  BertPreTokenizer: () => splitInTurn([splitting(SPACE, "Removed"), splitting(PUNCTUATION, "Isolated")]),
};

function sequence({ pretokenizers }: Part, at: string): PreTokenize {
  const steps = partsOf(PRE_TOKENIZERS, pretokenizers, at);
  const later = (pretokenizers as Part[]).slice(1).some(({ prepend_scheme }) => prepend_scheme === "first");
  if (!later) return splitInTurn(steps);
  throw notComputed(`${at} of type "Metaspace" with the prepend_scheme "first" behind another`, "it knows it alone");
}

function splitInTurn(steps: readonly PreTokenize[]): PreTokenize {
  return (text, first) =>
    steps.reduce((words, step) => words.flatMap((word, i) => step(word, first && i === 0)), [text]);
}

/** SentencePiece's words: a space becomes a visible letter, and each word begins with one. */
function metaspace(part: Part, at: string): PreTokenize {
  const { replacement = "▁", prepend_scheme, add_prefix_space = true, split = true } = part;
  const scheme = prepend_scheme ?? (add_prefix_space ? "always" : "never");
  const cut = splitting(patternOf({ type: "Metaspace", pattern: { String: replacement } }, at), "MergedWithNext");
  const letter = String(replacement);
  return (text, first) => {
    const marked = text.replaceAll(" ", letter);
    const prefixed = !marked.startsWith(letter) && (scheme === "always" || (scheme === "first" && first));
    const whole = prefixed ? letter + marked : marked;
    return split ? cut(whole, first) : [whole];
  };
}

function behaviorOf(part: Part, at: string): Behavior {
  const found = BEHAVIORS.find((one) => one === part.behavior);
  if (found) return found;
  const asked = `${at} of type "${part.type}" with the behavior ${shown(part.behavior)}`;
  throw notComputed(asked, `it knows ${BEHAVIORS.join(", ")}`);
}

function wordsPattern(word: string): RegExp {
  return new RegExp(`${word}+|(?:(?!${word})\\P{White_Space})+`, "gu");
}

/** A stretch of a text that a pattern matches, or that lies between two. */
interface Stretch {
  readonly text: string;
  readonly match: boolean;
}

/** Splits at the matches of a pattern; inverted, at what lies between them. */
function splitting(pattern: RegExp, behavior: Behavior, invert = false): PreTokenize {
  return (text) =>
    JOINED[behavior](stretches(text, pattern, invert))
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

const JOINED: Readonly<Record<Behavior, (stretches: Stretch[]) => Stretch[]>> = {
  Removed: (all) => all.filter(({ match }) => !match),
  Isolated: (all) => all,
  Contiguous: (all) => joined(all, (last, next) => last.match === next.match),
  MergedWithPrevious: (all) => joined(all, (last, next) => next.match && !last.match),
  MergedWithNext: (all) => joined(all.toReversed(), (last, next) => next.match && !last.match, true).toReversed(),
};

/** Joins each stretch to the one before it where `joins` says so of the two; where the list is reversed, at its front. */
function joined(all: Stretch[], joins: (last: Stretch, next: Stretch) => boolean, reversed = false): Stretch[] {
  const out: Stretch[] = [];
  all.forEach((next, i) => {
    const before = out.at(-1);
    if (!before || !joins(all[i - 1]!, next)) out.push(next);
    else out[out.length - 1] = { ...next, text: reversed ? next.text + before.text : before.text + next.text };
  });
  return out;
}
