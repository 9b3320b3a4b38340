import { MASK } from "../text/masked.ts";
import type { Example } from "./task.ts";

/** The examples without those whose prompt and options repeat an earlier one's, compared by `normalise`; the first stays. */
export function deduplicate(examples: readonly Example[]): Example[] {
  const seen = new Set<string>();
  return examples.filter((example) => {
    const text = normalise(textOf(example));
    const fresh = !seen.has(text);
    seen.add(text);
    return fresh;
  });
}

/** The text in lower case, words and numbers only, single spaces between; a text without any stays as it is. */
export function normalise(text: string): string {
  return (
    text
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu)
      ?.join(" ") ?? text
  );
}

function textOf({ autoregressive, masked }: Example): string {
  if (autoregressive) return [autoregressive.prompt, ...autoregressive.options].join("\n");
  return masked?.prompt.parts.map((part) => (part === MASK ? "" : part.text)).join("\n") ?? "";
}
