import { CsvError, type Info, parse } from "csv-parse/sync";
import { KitError } from "../../error.ts";
import type { ParsedRow } from "./rows.ts";

/** A first line of a whole number and one more field: no header, but the first row, as the authors' files of SST-5 and TREC have it. */
const HEADERLESS = /^\s*"?\d+"?,(?:"|[^,\n]*$)/m;

/**
 * The rows of a CSV text with double quotes as RFC 4180 has them; the place is a row's last line. The first line names the
 * fields, unless it begins with a whole number and has one more field: then they are `label` and `text`.
 */
export function parseCsv(text: string, file: string): ParsedRow[] {
  const columns = HEADERLESS.exec(text)?.index === 0 ? ["label", "text"] : true;
  return parsed(text, file, columns).map(({ record, info }) => ({ fields: record, place: `line ${info.lines}` }));
}

interface CsvRow {
  readonly record: Record<string, string>;
  readonly info: Info;
}

function parsed(text: string, file: string, columns: string[] | true): CsvRow[] {
  try {
    return parse<CsvRow>(text, { columns, info: true, skip_empty_lines: true, relax_column_count_less: true });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new KitError(`${file} line ${error.lines}: this is not valid CSV (${error.message}); correct the row.`);
  }
}
