import { KitError } from "../../error.ts";
import type { ParsedRow } from "./rows.ts";

/** The last column of SNLI's and MNLI's files: some of their rows have more or fewer annotators' labels before it than the header names. */
const LAST_COLUMN = "gold_label";

/** The rows under the header line of a TSV text without quoting: a double quote is an ordinary character (GLUE's files). */
export function parseTsv(text: string, file: string): ParsedRow[] {
  const [header = "", ...lines] = text.split(/\r?\n/);
  const names = header.split("\t");
  return lines.flatMap((line, index) => {
    if (line.trim() === "") return [];
    return [{ fields: namedFields(names, line, `${file} line ${index + 2}`), place: `line ${index + 2}` }];
  });
}

function namedFields(names: readonly string[], line: string, where: string): Record<string, string> {
  const values = line.split("\t");
  if (names.at(-1) === LAST_COLUMN) {
    const named = names.slice(0, Math.min(names.length, values.length) - 1).map((name, i) => [name, values[i]!]);
    return Object.fromEntries([...named, [LAST_COLUMN, values.at(-1)!]]);
  }
  if (values.length <= names.length) return Object.fromEntries(values.map((value, i) => [names[i]!, value]));
  throw new KitError(
    `${where}: ${values.length} fields stand under a header of ${names.length}; remove the extra tabs.`,
  );
}
