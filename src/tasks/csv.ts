import { CsvError, type Info, parse } from "csv-parse/sync";
import { KitError } from "../error.ts";
import type { ParsedRow } from "./rows.ts";

/** The rows under the header line of a CSV text, with double quotes as RFC 4180 has them; the place is a row's last line. */
export function parseCsv(text: string, file: string): ParsedRow[] {
  return parsed(text, file).map(({ record, info }) => ({ fields: record, place: `line ${info.lines}` }));
}

interface CsvRow {
  readonly record: Record<string, string>;
  readonly info: Info;
}

function parsed(text: string, file: string): CsvRow[] {
  try {
    return parse<CsvRow>(text, { columns: true, info: true, skip_empty_lines: true, relax_column_count_less: true });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new KitError(`${file} line ${error.lines}: this is not valid CSV (${error.message}); correct the row.`);
  }
}
