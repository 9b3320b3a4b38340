import { KitError, showValue } from "../../error.ts";
import type { GgufFile, Metadata } from "./header.ts";

type Json = Readonly<Record<string, unknown>>;

/** GGUF's types of tokens: those of texts; those that are looked for in a text before it is split. */
const [NORMAL, CONTROL, USER_DEFINED] = [1, 3, 4];

/** The files of a tokenizer that a GGUF file stands for, by their names. Throws a KitError for a tokenizer that is not read, and a damaged one. */
export function makeTokenizerFiles(file: GgufFile): Readonly<Record<string, Json>> {
  const { path, metadata } = file;
  const kind = metadata["tokenizer.ggml.model"];
  const make = typeof kind === "string" && Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
  if (!make)
    throw new KitError(
      `Reading ${path}: its tokenizer is of the kind ${showValue(kind)}, and of GGUF the kit reads ${Object.keys(KINDS).join(", ")}; take another model, or its files in Hugging Face layout.`,
    );
  const tokens = readTokens(file);
  const addsBegin = metadata["tokenizer.ggml.add_bos_token"] ?? kind === "llama";
  const named = namedTokens(metadata, tokens);
  const begin = addsBegin === true ? named.bos_token : undefined;
  return {
    "tokenizer.json": {
      ...{ version: "1.0", truncation: null, padding: null, added_tokens: listAdded(metadata, tokens) },
      ...make(file, tokens),
      post_processor: begin === undefined ? null : beginWith(begin, tokens.indexOf(begin)),
    },
    "tokenizer_config.json": {
      ...{ tokenizer_class: "PreTrainedTokenizerFast", clean_up_tokenization_spaces: false },
      ...{ add_bos_token: addsBegin === true, ...named },
      ...(typeof metadata["tokenizer.chat_template"] === "string" && {
        chat_template: metadata["tokenizer.chat_template"],
      }),
    },
  };
}

const lacks = (path: string, what: string): KitError =>
  new KitError(`Reading ${path}: ${what}; take a file that llama.cpp's converter has made.`);

function readTokens(file: GgufFile): readonly string[] {
  const tokens = readList(file, "tokens", "string");
  const twice =
    tokens.length === new Set(tokens).size ? undefined : tokens.find((token, i) => tokens.indexOf(token) < i);
  if (twice !== undefined) throw lacks(file.path, `its vocabulary has the token ${showValue(twice)} twice`);
  return tokens;
}

interface Kinds {
  string: string;
  number: number;
}

/** A list of the tokenizer's metadata. Throws a KitError where it is none of such values. */
function readList<K extends keyof Kinds>({ path, metadata }: GgufFile, key: string, kind: K): readonly Kinds[K][] {
  const list = metadata[`tokenizer.ggml.${key}`];
  if (Array.isArray(list) && list.length > 0 && list.every((value) => typeof value === kind)) return list;
  throw lacks(path, `its tokenizer.ggml.${key} must be a list of ${kind}s, not ${showValue(list)}`);
}

/** The type of a token by its id; without a list all are of texts. */
function typesOf(metadata: Metadata): (id: number) => unknown {
  const types = metadata["tokenizer.ggml.token_type"];
  return (id) => (Array.isArray(types) ? types[id] : NORMAL);
}

function listAdded(metadata: Metadata, tokens: readonly string[]): Json[] {
  const typeOf = typesOf(metadata);
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  return tokens.flatMap((content, id) => {
    const type = typeOf(id);
    return type === CONTROL || type === USER_DEFINED ? [{ id, content, ...flags, special: type === CONTROL }] : [];
  });
}

/** The named special tokens, by the names that tokenizer_config.json has for them and those of GGUF. */
const NAMED: Readonly<Record<string, string>> = {
  ...{ bos_token: "bos", eos_token: "eos", unk_token: "unknown", pad_token: "padding" },
};

function namedTokens(metadata: Metadata, tokens: readonly string[]): Record<string, string> {
  const found = Object.entries(NAMED).map(([name, own]) => [
    name,
    tokens[Number(metadata[`tokenizer.ggml.${own}_token_id`])],
  ]);
  return Object.fromEntries(found.filter(([, token]) => token !== undefined));
}

function beginWith(token: string, id: number): Json {
  const [begin, text] = [
    { SpecialToken: { id: token, type_id: 0 } },
    (id: "A" | "B") => ({ Sequence: { id, type_id: 0 } }),
  ];
  return {
    ...{ type: "TemplateProcessing", single: [begin, text("A")], pair: [begin, text("A"), begin, text("B")] },
    special_tokens: { [token]: { id: token, ids: [id], tokens: [token] } },
  };
}

/** Parts of tokenizer.json by the kinds of tokenizers in GGUF. */
const KINDS: Readonly<Record<string, (file: GgufFile, tokens: readonly string[]) => Json>> = {
  gpt2: byteLevel,
  llama: sentencePiece,
};

const numbered = (tokens: readonly string[]): Record<string, number> =>
  Object.fromEntries(tokens.map((token, id) => [token, id]));

/** GPT-2's kind: bytes as letters, split into words by a pattern that the file has a name for. */
function byteLevel(file: GgufFile, tokens: readonly string[]): Json {
  const { normalizer = null, whole = false, split } = findWords(file);
  const merges = readList(file, "merges", "string");
  return {
    normalizer,
    pre_tokenizer: split,
    decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    model: { ...BPE, ignore_merges: whole, vocab: numbered(tokens), merges },
  };
}

const BPE = { type: "BPE", dropout: null, unk_token: null, fuse_unk: false, byte_fallback: false };

/** How a text is split into words. */
interface Words {
  readonly normalizer?: Json;
  readonly split: Json;
  /** Whether words that are tokens are not made by merges. */
  readonly whole?: boolean;
}

const letters = (use_regex: boolean): Json => ({
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex,
});
const sequence = (first: Json, then: Json): Json => ({ type: "Sequence", pretokenizers: [first, then] });
const splitAt = (Regex: string): Json =>
  sequence({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false }, letters(false));

/** The pattern of Llama 3 and Qwen, which differ in how many digits are a word. */
const modern = (digits: string): string =>
  `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

/** Mistral's: a word's capitals come before its small letters. */
const TEKKEN_PATTERN =
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const GPT2: Words = { split: letters(true) };
const DIGITS: Words = { split: sequence({ type: "Digits", individual_digits: true }, letters(true)) };
const LLAMA3: Words = { split: splitAt(modern("\\p{N}{1,3}")), whole: true };
const TEKKEN: Words = { split: splitAt(TEKKEN_PATTERN), whole: true };
const QWEN2: Words = { normalizer: { type: "NFC" }, split: splitAt(modern("\\p{N}")) };

/** Ways to split, by llama.cpp's names for tokenizers that do so. */
const WORDS: Readonly<Record<string, Words>> = {
  ...{ "gpt-2": GPT2, smollm: DIGITS, starcoder: DIGITS },
  ...{ "llama-bpe": LLAMA3, "llama-v3": LLAMA3, llama3: LLAMA3, falcon3: LLAMA3, "smaug-bpe": LLAMA3 },
  ...{ qwen2: QWEN2, "deepseek-r1-qwen": QWEN2, tekken: TEKKEN },
};

function findWords({ path, metadata }: GgufFile): Words {
  const name = metadata["tokenizer.ggml.pre"];
  if (typeof name === "string" && Object.hasOwn(WORDS, name)) return WORDS[name]!;
  throw new KitError(
    `Reading ${path}: its tokenizer splits texts as ${showValue(name)}, and of GGUF the kit knows ${Object.keys(WORDS).join(", ")}; take another model, or its files in Hugging Face layout.`,
  );
}

const SPACE = "▁";

/** SentencePiece's kind, whose merges follow from the tokens' scores; what has no token is made of those of its bytes. */
function sentencePiece(file: GgufFile, tokens: readonly string[]): Json {
  const replace = { type: "Replace", pattern: { String: " " }, content: SPACE };
  const prefix =
    file.metadata["tokenizer.ggml.add_space_prefix"] !== false ? [{ type: "Prepend", prepend: SPACE }] : [];
  const strip = prefix.length > 0 ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : [];
  const unknown = tokens[Number(file.metadata["tokenizer.ggml.unknown_token_id"] ?? 0)] ?? null;
  const [scores, typeOf] = [readList(file, "scores", "number"), typesOf(file.metadata)];
  const merges = findMerges(
    new Map(tokens.flatMap((token, id) => (typeOf(id) === NORMAL ? [[token, scores[id] ?? 0]] : []))),
  );
  return {
    normalizer: { type: "Sequence", normalizers: [...prefix, replace] },
    pre_tokenizer: null,
    decoder: {
      type: "Sequence",
      decoders: [
        { ...replace, pattern: { String: SPACE }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        ...strip,
      ],
    },
    model: { ...BPE, unk_token: unknown, fuse_unk: true, byte_fallback: true, vocab: numbered(tokens), merges },
  };
}

/**
 * The merges by which byte-pair encoding makes the tokens that SentencePiece makes: all pairs of tokens that are one together, those of a
 * higher score first, and of one token's pairs those whose parts score higher.
 */
function findMerges(scoreOf: ReadonlyMap<string, number>): [string, string][] {
  const pairsOf = (token: string): [string, string][] => {
    const cuts = Array.from({ length: Math.max(0, token.length - 1) }, (_, i): [string, string] => [
      token.slice(0, i + 1),
      token.slice(i + 1),
    ]);
    const pairs = cuts.filter(([left, right]) => scoreOf.has(left) && scoreOf.has(right));
    return pairs.sort((a, b) => scoreOf.get(b[0])! - scoreOf.get(a[0])! || scoreOf.get(b[1])! - scoreOf.get(a[1])!);
  };
  return [...scoreOf].sort(([, a], [, b]) => b - a).flatMap(([token]) => pairsOf(token));
}
