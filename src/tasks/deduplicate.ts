import { MASK } from "../text/masked.ts";
import type { Example } from "./task.ts";

/** The examples that are left, and how many are not. */
export interface Deduplicated {
  readonly examples: readonly Example[];
  /** Those that repeat an earlier one, right answers included. */
  readonly repeated: number;
  /** Those with the texts of an earlier one and other right answers. */
  readonly contradicting: number;
}

/** The first example of each text (prompt and options), as pandas' drop_duplicates keeps it, white space and Unicode form aside. */
export function deduplicate(examples: readonly Example[]): Deduplicated {
  const firsts = new Map<string, Example>();
  let [repeated, contradicting] = [0, 0];
  for (const example of examples) {
    const text = textsOf(example).map(normalise).join("\0");
    const first = firsts.get(text);
    if (!first) firsts.set(text, example);
    else if (first.gold.join() === example.gold.join()) repeated++;
    else contradicting++;
  }
  return { examples: [...firsts.values()], repeated, contradicting };
}

/** The text in Unicode's composed form (NFC), with single spaces for all white space; every letter, sign and case is kept. */
function normalise(text: string): string {
  return text
    .normalize("NFC")
    .replace(/\p{White_Space}+/gu, " ")
    .trim();
}

function textsOf({ autoregressive, masked }: Example): string[] {
  if (autoregressive) return [autoregressive.prompt, ...autoregressive.options];
  return masked?.prompt.parts.map((part) => (part === MASK ? "" : part.text)) ?? [];
}
