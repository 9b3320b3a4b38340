import { type Makers, makePart, notComputed, type Part, partsOf, patternOf } from "./part.ts";

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
