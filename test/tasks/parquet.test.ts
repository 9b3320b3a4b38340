import { expect, test } from "vitest";
import { KitError } from "../../src/error.ts";
import { parseParquet } from "../../src/tasks/read/parquet.ts";
import { parquetFiles } from "./parquetFiles.ts";

const bytesOf = (name: string): Buffer => Buffer.from(parquetFiles[name]!, "base64");

/** The rows' fields, or the error. */
async function read(bytes: Buffer): Promise<unknown> {
  return parseParquet(bytes, "x.parquet").then(
    (rows) => rows.map(({ fields }) => fields),
    (error: unknown) => error,
  );
}

test.each(Object.keys(parquetFiles))("%s: the rows come out as they were written", async (name) => {
  expect(await read(bytesOf(name))).toEqual([
    { sentence: "a fine film", label: 1, score: 0.5 },
    { sentence: "dull , dull", label: 0, score: null },
  ]);
});

const STARTS = ["pyarrow, no dictionary", "pyarrow, differences", "pyarrow, second version pages", "duckdb (snappy)"];

// Each of these bytes is a length, a count, an offset, a type or text somewhere; a count that is believed would keep the reader busy for hours.
test.each(STARTS)("%s with any byte changed, cut or overwritten by a large number is read or refused", async (name) => {
  const bytes = bytesOf(name);
  const other: unknown[] = [];
  for (let at = 0; at < bytes.length; at++) {
    const changed = [0, 0x7f, 0xff, bytes[at]! ^ 1].map((value) => Buffer.from(bytes).fill(value, at, at + 1));
    const large = Buffer.from(bytes).fill(0xff, at, Math.min(at + 8, bytes.length));
    for (const broken of [...changed, large, bytes.subarray(0, at)]) {
      const found = await read(broken);
      if (!Array.isArray(found) && !(found instanceof KitError)) other.push([at, found]);
    }
  }
  expect(other).toEqual([]);
});

test("a page whose frames have negative lengths, over which a reader would go forever, is refused", async () => {
  const bytes = bytesOf("fastparquet, lz4 in Hadoop's frames");
  const frame = bytes.indexOf(Buffer.from("0000002c0000002c", "hex")) + 4; // the packed length, after the unpacked one
  const broken = Buffer.from(bytes).fill(0, frame - 4, frame);
  broken.writeInt32BE(-8, frame);
  expect(String(await read(broken))).toMatch(/^KitError: Cannot read x\.parquet as Parquet/);
});

/** The file with another number of rows in its metadata, as a varint in zigzag, both for the whole and for its only row group. */
function withRows(bytes: Buffer, said: Buffer): Buffer {
  const start = bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8);
  const footer = bytes.subarray(start, bytes.length - 8);
  const [whole, group] = ["1604191c", "160426"].map((hex) => footer.indexOf(Buffer.from(hex, "hex")) + 1) as [
    number,
    number,
  ];
  const between = footer.subarray(whole + 1, group);
  const changed = Buffer.concat([footer.subarray(0, whole), said, between, said, footer.subarray(group + 1)]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(changed.length);
  return Buffer.concat([bytes.subarray(0, start), changed, length, Buffer.from("PAR1")]);
}

test("a file that states more rows than its columns have is refused, and one that states too many", async () => {
  const bytes = bytesOf("pyarrow, no dictionary");
  const messages = await Promise.all(
    ["14", "80c2d72f"].map(async (hex) => String(await read(withRows(bytes, Buffer.from(hex, "hex"))))),
  );
  expect(messages[0]).toMatch(/the column "sentence" has 2 values for 10 rows/);
  expect(messages[1]).toMatch(/it has 50000000 rows, and at most 2000000 are read at once/);
});

test("errors are one sentence that names the file", async () => {
  expect(String(await read(Buffer.from("no parquet")))).toMatch(
    /^KitError: Cannot read x\.parquet as Parquet \(.+\); download it again, or give JSON Lines\.$/,
  );
});
