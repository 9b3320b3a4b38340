import { CsvError, type Info, parse } from "csv-parse/sync";
import { KitError, shortened } from "../../error.ts";
import type { ParsedRow, Quoting } from "./rows.ts";
import { namedRows, type TableRecord } from "./table.ts";
import { linesOf } from "./text.ts";

/**
 * The rows of a CSV text, named as `namedRows` does; the place is a row's last line. Double quotes are RFC 4180's, or ordinary
 * characters where quoting is "none".
 */
export function parseCsv(text: string, file: string, quoting: Quoting = "double"): ParsedRow[] {
  try {
    return namedRows(recordsOf(text, ",", quoting), file);
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new KitError(
      `${file} line ${error.lines}: this is not valid CSV (${shortened(error.message)}); correct the row, or give quoting "none" where quotes are part of the text.`,
    );
  }
}

/** The records of a text, blank lines left out. Throws a CsvError where the quotes do not fit. */
export function recordsOf(text: string, delimiter: string, quoting: Quoting): TableRecord[] {
  const ends = text.includes("\r") ? ["\r\n", "\n", "\r"] : "\n";
  const found = parse(text, {
    ...{ delimiter, record_delimiter: ends, quote: quoting === "double" ? '"' : null },
    ...{ info: true, relax_column_count: true, skip_empty_lines: true },
  }) as unknown as { record: string[]; info: Info }[];
  const lines = text.includes("\r") ? lastLines(text, found) : found.map(({ info }) => info.lines);
  return found.map(({ record }, i) => ({ values: record, place: `line ${lines[i]}` }));
}

/** The line on which each record ends; the parser's own count takes the CRLF in a quoted field for two line ends. */
function lastLines(text: string, found: readonly { readonly info: Info }[]): number[] {
  const bytes = Buffer.from(text);
  let [from, ends] = [0, 0];
  return found.map(({ info }) => {
    const passed = linesOf(bytes.toString("utf8", from, info.bytes));
    from = info.bytes;
    ends += passed.length - 1;
    return passed.at(-1) === "" ? ends : ends + 1;
  });
}
