import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { readRows } from "../../src/tasks/read/folder.ts";
import { dataFolder } from "./dataFolder.ts";

async function fieldsOf(name: string, text: string): Promise<unknown[]> {
  const { rows } = await readRows(join(dataFolder({ [name]: text }), name));
  return rows.map(({ fields }) => fields);
}

async function errorOf(name: string, text: string): Promise<string> {
  const folder = dataFolder({ [name]: text });
  try {
    await readRows(join(folder, name));
  } catch (error) {
    return (error as Error).message.replaceAll(folder, "data");
  }
  return "no error";
}

test("in TSV a double quote is an ordinary character and a missing last field is absent", async () => {
  expect(await fieldsOf("a.tsv", 'sentence\tlabel\n"well\t1\r\nsay "no\n\n')).toEqual([
    { sentence: '"well', label: "1" },
    { sentence: 'say "no' },
  ]);
});

test("in CSV quoted fields hold commas, quotes and line breaks", async () => {
  expect(await fieldsOf("a.csv", '\uFEFFlabel,text\n1,"a ""good"", long\nfilm"\n0,bad\n')).toEqual([
    { label: "1", text: 'a "good", long\nfilm' },
    { label: "0", text: "bad" },
  ]);
});

test("JSON Lines and JSON lists give the same rows", async () => {
  const rows = [
    { text: "a\tb", class: 1 },
    { text: "c", class: 0 },
  ];
  expect(await fieldsOf("a.jsonl", `${rows.map((row) => JSON.stringify(row)).join("\n\n")}\n`)).toEqual(rows);
  expect(await fieldsOf("a.json", JSON.stringify(rows))).toEqual(rows);
});

test("every row knows its line", async () => {
  const folder = dataFolder({
    "a.tsv": "text\none\n\ntwo\n",
    "a.csv": "text\none\n\ntwo\n",
    "a.jsonl": '{}\n\n{"a":1}\n',
  });
  const places = async (name: string): Promise<string[]> =>
    (await readRows(join(folder, name))).rows.map(({ where }) => where.slice(folder.length));
  expect(await places("a.tsv")).toEqual(["/a.tsv line 2", "/a.tsv line 4"]);
  expect(await places("a.csv")).toEqual(["/a.csv line 2", "/a.csv line 4"]);
  expect(await places("a.jsonl")).toEqual(["/a.jsonl line 1", "/a.jsonl line 3"]);
});

test.each([
  ["a.tsv", "", "data/a.tsv is empty: it has no rows of data; give a file with labelled rows."],
  ["a.csv", "", "data/a.csv is empty: it has no rows of data; give a file with labelled rows."],
  ["a.json", " ", "data/a.json is empty: it has no rows of data; give a file with labelled rows."],
  ["a.jsonl", "\n\n", "data/a.jsonl is empty: it has no rows of data; give a file with labelled rows."],
  ["a.tsv", "text\tlabel\n", "data/a.tsv is empty: it has no rows of data; give a file with labelled rows."],
  [
    "a.tsv",
    "t\tl\na\t1\nb\t0\t\n",
    'data/a.tsv line 3: 3 fields under a header of 2 ("t", "l"); remove the extra ones, or quote the text.',
  ],
  ["a.jsonl", '{"a":1}\n[1]\n', "data/a.jsonl line 2: a row must be an object of named fields, not [1]; correct it."],
  ["a.json", '{"a":1}', "data/a.json: the file has no list of rows; give a JSON list of objects."],
  [
    "a.xlsx",
    "x",
    "data/a.xlsx cannot be read: it has the extension .xlsx; give one of .tsv, .csv, .jsonl, .json, .txt, .parquet.",
  ],
])("%s with %j is refused in one sentence", async (name, text, sentence) => {
  expect(await errorOf(name, text)).toBe(sentence);
});

test("text that is neither JSON nor CSV is refused with its line", async () => {
  expect(await errorOf("a.jsonl", '{"a":1}\n{"a":\n')).toMatch(
    /^data\/a\.jsonl line 2: this is not valid JSON \(.+\); correct it\.$/,
  );
  expect(await errorOf("a.csv", 'a,b\n1,2\n1,he said "no"\n')).toMatch(
    /^data\/a\.csv line 3: this is not valid CSV \(.+\); correct the row, or give quoting "none" where quotes are part of the text\.$/,
  );
});

test("a missing file is named", async () => {
  await expect(readRows("no/such.tsv")).rejects.toThrow(
    "Cannot read the data file no/such.tsv (ENOENT); check its path.",
  );
});

test("SNLI's rows have more or fewer labels than the header names, and the last field is the label", async () => {
  const header = "index\tsentence1\tsentence2\tlabel1\tlabel2\tgold_label";
  const text = `${header}\n0\ta "b\tc\tx\ty\tz\tw\tneutral\n1\td\te\tx\tentailment\n`;
  const [more, fewer] = await fieldsOf("a.tsv", text);
  expect(more).toMatchObject({ sentence1: 'a "b', sentence2: "c", gold_label: "neutral" });
  expect(fewer).toMatchObject({ sentence1: "d", sentence2: "e", gold_label: "entailment" });
});

test("a CSV whose first line begins with a number has no header, and one with a header keeps it", async () => {
  const rows = [
    { label: "3", text: 'a "fine", film' },
    { label: "0", text: "bad" },
  ];
  expect(await fieldsOf("a.csv", '3,"a ""fine"", film"\n0,bad\n')).toEqual(rows);
  expect(await fieldsOf("a.csv", "0,bad\n")).toEqual(rows.slice(1));
  expect(await fieldsOf("a.csv", "1st,2nd\n0,bad\n")).toEqual([{ "1st": "0", "2nd": "bad" }]);
  expect(await fieldsOf("a.csv", "label,text\n0,bad\n")).toEqual(rows.slice(1));
});

test("lines of a label and a text are read from .txt and from the originals' own endings", async () => {
  const rows = [
    { label: "4", text: "a b  c" },
    { label: "DESC:manner", text: "How ?" },
  ];
  for (const name of ["a.txt", "stsa.fine.train", "TREC.test.all"])
    expect(await fieldsOf(name, "4 a b  c\n\nDESC:manner How ?\n")).toEqual(rows);
  expect(await errorOf("a.txt", "4 a\n5\n")).toBe(
    "data/a.txt line 2: the line is not a label, a space and a text; correct it.",
  );
});

test("the rows of an object with a list `data`, and of an object of objects, are found", async () => {
  const rows = [{ a: 1 }, { a: 2 }];
  expect(await fieldsOf("a.json", JSON.stringify({ version: "1.1", data: rows }))).toEqual(rows);
  expect(await fieldsOf("a.json", JSON.stringify({ one: rows[0], two: rows[1] }))).toEqual(rows);
});

test("a file under .gz is unpacked, and a broken one is named", async () => {
  const file = join(dataFolder({}), "a.jsonl.gz");
  writeFileSync(file, gzipSync('{"a":1}\n'));
  expect((await readRows(file)).rows.map(({ fields }) => fields)).toEqual([{ a: 1 }]);
  expect(await errorOf("a.jsonl.gz", "x")).toMatch(/^Cannot unpack data\/a\.jsonl\.gz \(.+\); download it again\.$/);
});

// Written by pyarrow 26: two rows, packed by Snappy.
const PARQUET =
  "UEFSMRUEFTwVQEwVBBUAEgAAHnQLAAAAYSBmaW5lIGZpbG0LAAAAZHVsbCAsIGR1bGwVABUSFRYsFQQVEBUGFQYcAAAACSACAAAABAEBAwIVBBUgFSRMFQQVABIAABA8AQAAAAAAAAAAAAAAAAAAABUAFRIVFiwVBBUQFQYVBhwAAAAJIAIAAAAEAQEDAhUEFR4VIkwVBhUAEgAADzgBAAAAeAEAAAB5AQAAAHoVABUgFSQsFQYVEBUGFQYcAAAAEDwCAAAAAwICAAAABgQCAyQAFQQVGBUcTBUGFQASAAAMLAMAAAAEAAAAAAAAABUAFSAVJCwVBhUQFQYVBhwAAAAQPAIAAAADAgIAAAAGBAIDJAAVBBmsNQAYBnNjaGVtYRUGABUMJQIYCHNlbnRlbmNlJQBMHAAAABUEJQIYBWxhYmVsADUCGAdhbnN3ZXJzFQQANQIYBHRleHQVAhUGTDwAAAA1BBgEbGlzdBUCABUMJQIYB2VsZW1lbnQlAEwcAAAANQIYDGFuc3dlcl9zdGFydBUCFQZMPAAAADUEGARsaXN0FQIAFQIlAhgHZWxlbWVudAAWBBkcGUwmABwVDBk1AAYQGRgIc2VudGVuY2UVAhYEFpABFpgBJmQmCCksFQQVABUCABUAFRAVAgA8FiwZBhkmAAQAAAAmABwVBBk1AAYQGRgFbGFiZWwVAhYEFnQWfCbgASagASksFQQVABUCABUAFRAVAgA8KQYZJgAEAAAAJgAcFQwZNQAGEBlIB2Fuc3dlcnMEdGV4dARsaXN0B2VsZW1lbnQVAhYGFoABFogBJtoCJpwCKSwVBBUAFQIAFQAVEBUCADwWBhkmBAIZVgAAAAAGAAAAJgAcFQIZNQAGEBlIB2Fuc3dlcnMMYW5zd2VyX3N0YXJ0BGxpc3QHZWxlbWVudBUCFgYWehaCASbcAyakAyksFQQVABUCABUAFRAVAgA8KSYEAhlWAAAAAAYAAAAW/gMWBCYIFp4EACggcGFycXVldC1jcHAtYXJyb3cgdmVyc2lvbiAyNi4wLjEZTBwAABwAABwAABwAAAAQAgAAUEFSMQ==";

test("Parquet gives the same rows as JSON would, also lists and objects within them", async () => {
  const file = join(dataFolder({}), "train-00000-of-00001.parquet");
  writeFileSync(file, Buffer.from(PARQUET, "base64"));
  expect((await readRows(file)).rows.map(({ fields }) => fields)).toEqual([
    { sentence: "a fine film", label: 1, answers: { text: ["x", "y"], answer_start: [3, 4] } },
    { sentence: "dull , dull", label: 0, answers: { text: ["z"], answer_start: [0] } },
  ]);
  expect(await errorOf("a.parquet", "no parquet")).toMatch(
    /^Cannot read data\/a\.parquet as Parquet \(.+\); download it again, or give/,
  );
});
