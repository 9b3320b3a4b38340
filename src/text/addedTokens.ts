/** A token that is found in a text before anything else is done with it, as tokenizer.json's `added_tokens` describe it. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Takes the white space before it. */
  readonly lstrip: boolean;
  /** Takes the white space after it. */
  readonly rstrip: boolean;
  /** Is found only where no word goes on at either side. */
  readonly single_word: boolean;
  /** Is looked for in the normalized text. */
  readonly normalized: boolean;
  /** Is left out of decoded texts. */
  readonly special: boolean;
}

/** A part of a text: an added token's, with its id, or what stands between two. */
export interface Piece {
  readonly text: string;
  /** Where it begins in the text. */
  readonly start: number;
  readonly id?: number;
}

/** The word characters and the white space of the Rust library's patterns. */
const WORD = "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]";
const WORD_BEFORE = new RegExp(`(?<=${WORD})`, "uy");
const WORD_AFTER = new RegExp(WORD, "uy");
const SPACE_BEFORE = /(?<=(\p{White_Space}*))/uy;
const SPACE_AFTER = /\p{White_Space}*/uy;

/** Cuts texts at the tokens that stand in them: the first, and of several that begin there the longest. */
export function splitterAt(tokens: readonly AddedToken[]): (text: string) => readonly Piece[] {
  const byContent = new Map(tokens.filter(({ content }) => content !== "").map((token) => [token.content, token]));
  if (byContent.size === 0) return (text) => [{ text, start: 0 }];
  const longestFirst = [...byContent.keys()].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(longestFirst.map(escaped).join("|"), "gu");
  return (text) => {
    const pieces: Piece[] = [];
    let done = 0;
    const between = (end: number): void => {
      if (done < end) pieces.push({ text: text.slice(done, end), start: done });
    };
    for (const { 0: content, index } of text.matchAll(pattern)) {
      const token = byContent.get(content)!;
      const after = index + content.length;
      if (token.single_word && (matchAt(WORD_BEFORE, text, index) || matchAt(WORD_AFTER, text, after))) continue;
      const start = token.lstrip ? Math.max(done, index - matchAt(SPACE_BEFORE, text, index)![1]!.length) : index;
      between(start);
      done = token.rstrip ? after + matchAt(SPACE_AFTER, text, after)![0].length : after;
      pieces.push({ text: text.slice(start, done), start, id: token.id });
    }
    between(text.length);
    return pieces;
  };
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
