const MAX_CACHED = 4096;
const VISIBLE_BLANK_LINE = /(?<=\P{White_Space})\n\n(?=\P{White_Space})/u;

/**
 * `encode` with a memory of paragraphs, so that demonstrations that many prompts share are encoded once.
 * Only for tokenizers that split by GPT-2's pattern: there no token spans a line break between visible characters, and the
 * two breaks of an empty line are two tokens. Texts with a `swallowing` token, which takes white space beside it, are
 * encoded whole.
 */
export function rememberParagraphs(
  encode: (text: string) => number[],
  swallowing: readonly string[],
): (text: string) => number[] {
  const cache = new Map<string, number[]>();
  const lineBreak = encode("\n");
  const remember = (text: string): number[] => {
    if (cache.size >= MAX_CACHED) cache.clear();
    const ids = encode(text);
    cache.set(text, ids);
    return ids;
  };
  return (text) => {
    if (swallowing.some((token) => text.includes(token))) return encode(text);
    const paragraphs = text.split(VISIBLE_BLANK_LINE).map((part) => cache.get(part) ?? remember(part));
    return paragraphs.flatMap((ids, i) => (i === 0 ? ids : [...lineBreak, ...lineBreak, ...ids]));
  };
}
