import { KitError } from "../error.ts";
import type { ParsedRow } from "./rows.ts";

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
  if (values.length > names.length) {
    throw new KitError(
      `${where}: ${values.length} fields stand under a header of ${names.length}; remove the extra tabs.`,
    );
  }
  return Object.fromEntries(values.map((value, index) => [names[index]!, value]));
}
