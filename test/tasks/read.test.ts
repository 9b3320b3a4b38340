import { join } from "node:path";
import { expect, test } from "vitest";
import { readRows } from "../../src/tasks/read.ts";
import { dataFolder } from "./dataFolder.ts";

function fieldsOf(name: string, text: string): unknown[] {
  return readRows(join(dataFolder({ [name]: text }), name)).rows.map(({ fields }) => fields);
}

function errorOf(name: string, text: string): string {
  const folder = dataFolder({ [name]: text });
  try {
    readRows(join(folder, name));
  } catch (error) {
    return (error as Error).message.replaceAll(folder, "data");
  }
  return "no error";
}

test("in TSV a double quote is an ordinary character and a missing last field is absent", () => {
  expect(fieldsOf("a.tsv", 'sentence\tlabel\n"well\t1\r\nsay "no\n\n')).toEqual([
    { sentence: '"well', label: "1" },
    { sentence: 'say "no' },
  ]);
});

test("in CSV quoted fields hold commas, quotes and line breaks", () => {
  expect(fieldsOf("a.csv", '\uFEFFlabel,text\n1,"a ""good"", long\nfilm"\n0,bad\n')).toEqual([
    { label: "1", text: 'a "good", long\nfilm' },
    { label: "0", text: "bad" },
  ]);
});

test("JSON Lines and JSON lists give the same rows", () => {
  const rows = [
    { text: "a\tb", class: 1 },
    { text: "c", class: 0 },
  ];
  expect(fieldsOf("a.jsonl", `${rows.map((row) => JSON.stringify(row)).join("\n\n")}\n`)).toEqual(rows);
  expect(fieldsOf("a.json", JSON.stringify(rows))).toEqual(rows);
});

test("every row knows its line", () => {
  const folder = dataFolder({
    "a.tsv": "text\none\n\ntwo\n",
    "a.csv": "text\none\n\ntwo\n",
    "a.jsonl": '{}\n\n{"a":1}\n',
  });
  const places = (name: string): string[] =>
    readRows(join(folder, name)).rows.map(({ where }) => where.slice(folder.length));
  expect(places("a.tsv")).toEqual(["/a.tsv line 2", "/a.tsv line 4"]);
  expect(places("a.csv")).toEqual(["/a.csv line 2", "/a.csv line 4"]);
  expect(places("a.jsonl")).toEqual(["/a.jsonl line 1", "/a.jsonl line 3"]);
});

test.each([
  ["a.tsv", "", "data/a.tsv is empty: it has no rows of data; give a file with labelled rows."],
  ["a.csv", "", "data/a.csv is empty: it has no rows of data; give a file with labelled rows."],
  ["a.json", " ", "data/a.json is empty: it has no rows of data; give a file with labelled rows."],
  ["a.jsonl", "\n\n", "data/a.jsonl is empty: it has no rows of data; give a file with labelled rows."],
  ["a.tsv", "text\tlabel\n", "data/a.tsv is empty: it has no rows of data; give a file with labelled rows."],
  ["a.tsv", "t\tl\na\t1\nb\t0\t\n", "data/a.tsv line 3: 3 fields stand under a header of 2; remove the extra tabs."],
  [
    "a.jsonl",
    '{"a":1}\n[1]\n',
    "data/a.jsonl line 2: a row must be an object of named fields and not [1]; correct it.",
  ],
  ["a.json", '{"a":1}', "data/a.json: the file holds no list of rows; give a JSON list of objects."],
  ["a.xlsx", "x", "Cannot tell how to read data/a.xlsx: it has the extension .xlsx; give .tsv, .csv, .jsonl, .json."],
])("%s with %j is refused in one sentence", (name, text, sentence) => {
  expect(errorOf(name, text)).toBe(sentence);
});

test("text that is no JSON and no CSV is refused with its line", () => {
  expect(errorOf("a.jsonl", '{"a":1}\n{"a":\n')).toMatch(
    /^data\/a\.jsonl line 2: this is not valid JSON \(.+\); correct it\.$/,
  );
  expect(errorOf("a.csv", "a,b\n1,2\n1,2,3\n")).toMatch(
    /^data\/a\.csv line 3: this is not valid CSV \(.+\); correct the row\.$/,
  );
});

test("a file that is not there is named", () => {
  expect(() => readRows("no/such.tsv")).toThrow("Cannot read the data file no/such.tsv (ENOENT); check its path.");
});
