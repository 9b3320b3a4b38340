import { parquetReadObjects } from "hyparquet";
import { KitError } from "../../error.ts";
import type { ParsedRow } from "./rows.ts";

/** The rows of a Parquet file's bytes; 64-bit integers become numbers. Throws where it is none, or packed otherwise than by Snappy. */
export async function parseParquet(bytes: Buffer, path: string): Promise<ParsedRow[]> {
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  try {
    const rows = await parquetReadObjects({ file });
    return rows.map((row, i) => ({ fields: numbers(row) as ParsedRow["fields"], place: `row ${i + 1}` }));
  } catch (error) {
    throw new KitError(
      `Cannot read ${path} as Parquet (${(error as Error).message}); give Parquet that is plain or packed by Snappy, or JSON Lines.`,
    );
  }
}

function numbers(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map(numbers);
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, numbers(inner)]));
}
