const SPECIAL_TOKENS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"];

/** GPT-2's pattern; JavaScript's \s would also match U+FEFF and miss U+0085, unlike that of the original. */
const GPT2_PATTERN =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** The tokenizer.json that GPT-2's two files stand for: ids by token, and merges.txt with one merge a line. */
export function byteLevelTokenizer(vocab: Readonly<Record<string, number>>, merges: string): object {
  const special = SPECIAL_TOKENS.filter((token) => Object.hasOwn(vocab, token));
  return {
    added_tokens: special.map((content) => addedToken(content, vocab[content]!)),
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
    post_processor: null,
    decoder: { type: "ByteLevel" },
    model: { type: "BPE", unk_token: null, vocab, merges: parseMerges(merges) },
  };
}

/** A step of the library's pre-tokenizer: a byte-level one has `use_regex`, a sequence has `tokenizers`. */
export interface SplitStep {
  readonly use_regex?: boolean;
  readonly tokenizers?: readonly (SplitStep | null)[];
  pattern?: RegExp;
}

/** Makes the byte-level steps of a pre-tokenizer split text as the original does. */
export function correctWhiteSpace(step: SplitStep | null): void {
  step?.tokenizers?.forEach(correctWhiteSpace);
  if (step?.use_regex) step.pattern = GPT2_PATTERN;
}

function addedToken(content: string, id: number) {
  return {
    id,
    content,
    lstrip: content === "<mask>",
    rstrip: false,
    single_word: false,
    normalized: false,
    special: true,
  };
}

function parseMerges(text: string): string[][] {
  const lines = text.split(/\r?\n/).filter((line) => line !== "" && !line.startsWith("#version"));
  return lines.map((line) => line.split(" "));
}
