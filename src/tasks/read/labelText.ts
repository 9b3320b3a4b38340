import { KitError } from "../../error.ts";
import type { ParsedRow } from "./rows.ts";
import { linesOf } from "./text.ts";

/** The rows {label, text} of a text whose lines are a label, a space and the sentence (the original SST-5 and TREC files). */
export function parseLabelText(text: string, file: string): ParsedRow[] {
  return linesOf(text).flatMap((line, index) => {
    if (line.trim() === "") return [];
    const place = `line ${index + 1}`;
    const [, label, sentence] = /^(\S+)[ \t](.*)$/s.exec(line) ?? [];
    if (label === undefined || sentence === undefined)
      throw new KitError(`${file} ${place}: the line is not a label, a space and a text; correct it.`);
    return [{ fields: { label, text: sentence }, place }];
  });
}
