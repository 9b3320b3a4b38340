import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { readPart, readRows } from "../../src/tasks/read/folder.ts";
import { dataFolder } from "./dataFolder.ts";
import { parquetFiles } from "./parquetFiles.ts";

const row = (text: string): string => `${JSON.stringify({ text })}\n`;

/** The texts of a part of a folder with these files, or the error. */
async function texts(files: Readonly<Record<string, string>>, part = "train"): Promise<unknown> {
  const folder = dataFolder(files);
  return readPart(folder, [part], {}).then(
    (found) => found?.rows.map(({ fields }) => fields.text),
    (error: Error) => error.message.replaceAll(folder, "data"),
  );
}

test.each([
  ["train-00000-of-00001.jsonl"],
  ["train-00000-of-00001-b42a775f407cee45.jsonl"],
  ["train_matched-00000-of-00001.jsonl"],
  ["train.jsonl"],
])("%s is the train file", async (name) => {
  expect(await texts({ [name]: row("a"), "README.md": "x", "training-notes.txt": "x" })).toEqual(["a"]);
});

test("the files of a set are read in their order, however many there are", async () => {
  const name = (i: number): string => `validation-${String(i).padStart(5, "0")}-of-00012.jsonl`;
  const files = Object.fromEntries([11, 2, 0, 10, 1, 3, 4, 5, 6, 7, 8, 9].map((i) => [name(i), row(String(i))]));
  expect(await texts(files, "validation")).toEqual(Array.from({ length: 12 }, (_, i) => String(i)));
});

test("a single file is not mixed with a set of files", async () => {
  expect(await texts({ "train.jsonl": row("alone"), "train-00000-of-00001.jsonl": row("set") })).toEqual(["alone"]);
});

test("a set with a missing file is refused, and two sets in one folder", async () => {
  const [first, third] = ["train-00000-of-00003.jsonl", "train-00002-of-00003.jsonl"];
  expect(await texts({ [first]: row("a"), [third]: row("c") })).toBe(
    "data/train-00000-of-00003.jsonl is one of 3 files, of which number 1 (counted from 0) is missing: download it too.",
  );
  expect(
    await texts({ "train-00000-of-00001.jsonl": row("a"), "train-00000-of-00001-b42a775f407cee45.jsonl": row("b") }),
  ).toMatch(
    /^data holds 2 files of a set of 1 \("train-00000-of-00001-b42a775f407cee45\.jsonl", .*\): keep only one set there\.$/,
  );
});

test("a part in its own folder, as in the hub's Parquet branch, is read in order, and only when it is complete", async () => {
  const folder = dataFolder({ "train/README.md": "x" });
  const bytes = Buffer.from(parquetFiles["pyarrow, zstd"]!, "base64");
  for (const index of ["0000", "0001"]) writeFileSync(join(folder, "train", `${index}.parquet`), bytes);
  const found = await readPart(folder, ["train"], {});
  expect(found!.rows.map(({ where }) => where.slice(folder.length))).toEqual([
    "/train/0000.parquet row 1",
    "/train/0000.parquet row 2",
    "/train/0001.parquet row 1",
    "/train/0001.parquet row 2",
  ]);
  writeFileSync(join(folder, "train", "0003.parquet"), bytes);
  await expect(readPart(folder, ["train"], {})).rejects.toThrow(/one of 4 files, of which number 2 .* is missing/);
});

test("a file that is too large is refused before it is read, packed or not", async () => {
  const folder = dataFolder({ "a.csv": "", "b.csv.gz": "" });
  // Sparse: it takes no room on the disk.
  truncateSync(join(folder, "a.csv"), 2 ** 40);
  await expect(readRows(join(folder, "a.csv"))).rejects.toThrow(
    /a\.csv holds 1048576 MiB, and at most 500 MiB and 2000000 rows are read at once: give a part of it/,
  );
  const packed = gzipSync("text,label\n");
  packed.writeUInt32LE(2 ** 30, packed.length - 4);
  writeFileSync(join(folder, "b.csv.gz"), packed);
  await expect(readRows(join(folder, "b.csv.gz"))).rejects.toThrow(
    /b\.csv\.gz holds 1024 MiB unpacked, and at most 500/,
  );
});

test("a file of more lines than are read at once is refused before it is parsed, whatever its line ends", async () => {
  for (const end of ["\n", "\r", "\r\n"]) {
    const folder = dataFolder({ "a.tsv": `a${end}`.repeat(2_000_001) });
    await expect(readRows(join(folder, "a.tsv"))).rejects.toThrow(
      /a\.tsv holds 2000001 lines, and at most .* 2000000 rows/,
    );
  }
});

test("a path that is not a file is refused", async () => {
  const folder = dataFolder({ "a.csv/x": "" });
  await expect(readRows(join(folder, "a.csv"))).rejects.toThrow(
    /^Cannot read the data file .*a\.csv \(it is not a regular file\); check its path\.$/,
  );
});
