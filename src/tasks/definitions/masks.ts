import { MASK, type MaskedPart, type MaskedPrompt } from "../../text/masked.ts";

/** `{sentence} It was<mask>.` in at most 128 tokens (Table 13: SST-2, SST-5). */
export function itWas(sentence: Exclude<MaskedPart, symbol>): MaskedPrompt {
  return { parts: [sentence, { text: " It was" }, MASK, { text: "." }], maxLength: 128 };
}

/**
 * `{first minus its last character}?<mask>, {second, its first letter small}` in at most 256 tokens, the first sentence cut after
 * `maxTokens` (Table 13: MNLI, SNLI, RTE).
 */
export function entails(first: string, second: string, maxTokens?: number): MaskedPrompt {
  const [head = "", ...tail] = second;
  const text = [...first].slice(0, -1).join("");
  const premise = maxTokens === undefined ? { text } : { text, maxTokens };
  const hypothesis = { text: ` ${head.toLowerCase()}${tail.join("")}` };
  return { parts: [premise, { text: "?" }, MASK, { text: "," }, hypothesis], maxLength: 256 };
}
