import { shown } from "../error.ts";
import { GPT2_PATTERN, toByteLetters } from "./byteLevel.ts";
import { type Makers, makePart, notComputed, type Part, partsOf, patternOf } from "./part.ts";

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
  BertPreTokenizer: () => inTurn([splitting(SPACE, "Removed"), splitting(PUNCTUATION, "Isolated")]),
};

function sequence({ pretokenizers }: Part, at: string): PreTokenize {
  const steps = partsOf(PRE_TOKENIZERS, pretokenizers, at);
  const later = (pretokenizers as Part[]).slice(1).some(({ prepend_scheme }) => prepend_scheme === "first");
  if (!later) return inTurn(steps);
  throw notComputed(`${at} of type "Metaspace" with the prepend_scheme "first" behind another`, "it knows it alone");
}

function inTurn(steps: readonly PreTokenize[]): PreTokenize {
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
