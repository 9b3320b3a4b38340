/** GPT-2's pattern; JavaScript's \s would also match U+FEFF and miss U+0085, unlike that of the original. */
export const GPT2_PATTERN: RegExp =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** GPT-2's visible letter for each byte: its own where it is visible, else the next from U+0100 on. */
const LETTERS: readonly string[] = (() => {
  let next = 0x100;
  const visible = (byte: number): boolean => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(visible(byte) ? byte : next++));
})();

const PLAIN = /^[!-~]+$/;
const utf8 = new TextEncoder();

/** A text's UTF-8 bytes, each as GPT-2's letter for it: " é" becomes "ĠÃ©". */
export function toByteLetters(text: string): string {
  if (PLAIN.test(text)) return text;
  let letters = "";
  for (const byte of utf8.encode(text)) letters += LETTERS[byte];
  return letters;
}
