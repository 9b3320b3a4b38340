import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readRows } from "../../src/tasks/read/folder.ts";
import type { Dialect } from "../../src/tasks/read/table.ts";
import { dataFolder } from "./dataFolder.ts";

/** What is read of a file of these bytes: its rows' fields, or the error. */
async function read(name: string, bytes: Buffer | string, dialect?: Dialect): Promise<unknown> {
  const folder = dataFolder({});
  const file = join(folder, name);
  writeFileSync(file, bytes);
  return readRows(file, dialect).then(
    ({ rows }) => rows.map(({ fields }) => fields),
    (error: Error) => error.message.replaceAll(folder, "data"),
  );
}

const CSV = "text,label\ndéjà vu – “so” €5,1\n";
const ROWS = [{ text: "déjà vu – “so” €5", label: "1" }];

test("UTF-16 is read by its byte-order mark, and UTF-8 with and without one", async () => {
  const little = Buffer.from(`\uFEFF${CSV}`, "utf16le");
  expect(await read("a.csv", little)).toEqual(ROWS);
  expect(await read("a.csv", Buffer.from(little).swap16())).toEqual(ROWS);
  expect(await read("a.csv", `\uFEFF${CSV}`)).toEqual(ROWS);
  expect(await read("a.csv", CSV)).toEqual(ROWS);
});

// Python: "déjà vu – “so” €5".encode("cp1252"); the last of these bytes means nothing in windows-1252.
const WESTERN = Buffer.concat([
  Buffer.from("text,label\nplain,0\n"),
  Buffer.from("64e96ae020767520962093736f94208035", "hex"),
  Buffer.from(",1\n"),
]);

// A guess at the encoding would be right most of the time and silently change letters the rest of it.
test.each(["a.csv", "a.tsv", "a.jsonl", "a.json", "a.txt"])(
  "%s in windows-1252 is refused with line and encoding",
  async (name) => {
    expect(await read(name, WESTERN)).toBe(
      `data/${name} line 3 is not UTF-8; the file looks like windows-1252 (Latin-1): save it as UTF-8, or give encoding "windows-1252".`,
    );
  },
);

test("the option encoding is used for files that are not UTF-8, letter by letter", async () => {
  const dialect = { encoding: "windows-1252" };
  expect(await read("a.csv", WESTERN, dialect)).toEqual([{ text: "plain", label: "0" }, ...ROWS]);
  expect(await read("a.csv", CSV, dialect)).toEqual(ROWS);
  // Python: "Привет".encode("cp1251"), "日本".encode("shift_jis")
  expect(await read("a.txt", Buffer.from("3120cff0e8e2e5f20a", "hex"), { encoding: "windows-1251" })).toEqual([
    { label: "1", text: "Привет" },
  ]);
  expect(await read("a.txt", Buffer.from("312093fa967b0a", "hex"), { encoding: "shift_jis" })).toEqual([
    { label: "1", text: "日本" },
  ]);
});

test("the original TREC file, whose one byte over 127 is Latin-1, is read under its encoding", async () => {
  const bytes = Buffer.from("HUM:ind Who is the actor F\xe9lix ?\nNUM:date When ?\n", "latin1");
  expect(await read("train_5500.label", bytes)).toMatch(/^data\/train_5500\.label line 1 is not UTF-8; .*windows-1252/);
  expect(await read("train_5500.label", bytes, { encoding: "latin1" })).toEqual([
    { label: "HUM:ind", text: "Who is the actor Félix ?" },
    { label: "NUM:date", text: "When ?" },
  ]);
});

test.each([
  [
    "text in another script",
    "312093fa967b8cea0a",
    {},
    /line 1 is not UTF-8; the file is in another encoding: .*"shift_jis"/,
  ],
  [
    "bytes that mean nothing in the encoding",
    "3120e90a31208120620a",
    { encoding: "windows-1252" },
    /line 2 is not text in windows-1252: name another/,
  ],
  ["half a letter of UTF-16", "fffe310020000a003100200000d80a00", {}, /line 2 is not text in utf-16le/],
  [
    "UTF-16 without its mark",
    "6c006100620065006c002000610062000a00",
    {},
    /is not UTF-8 and looks like utf-16le without .* give encoding "utf-16le"/,
  ],
  ["a NUL byte", "312061620a31206100620a", {}, /line 2 holds a NUL byte, so it is not text/],
  [
    "an unknown encoding",
    "3120e90a",
    { encoding: "klingon" },
    /in the encoding "klingon", which the kit does not know/,
  ],
  ["a spreadsheet", "504b030414000600", {}, /is not text but a zip archive or a spreadsheet/],
  ["gzip under another name", "1f8b080000000000", {}, /is not text but packed by gzip/],
] as const)("%s is refused in one sentence", async (_, hex, dialect, sentence) => {
  expect(await read("a.txt", Buffer.from(hex, "hex"), dialect)).toMatch(sentence);
});

// pandas 3.1: read_csv gives the same rows for each.
test.each(["\n", "\r\n", "\r"])("lines that end in %j are read in every text format", async (end) => {
  const rows = [
    { label: "1", text: "a b" },
    { label: "0", text: "c d" },
  ];
  for (const last of [end, ""]) {
    expect(await read("a.csv", ["label,text", "1,a b", "0,c d"].join(end) + last)).toEqual(rows);
    expect(await read("a.tsv", ["label\ttext", "1\ta b", "0\tc d"].join(end) + last)).toEqual(rows);
    expect(await read("a.txt", ["1 a b", "0 c d"].join(end) + last)).toEqual(rows);
    expect(await read("a.jsonl", rows.map((row) => JSON.stringify(row)).join(end) + last)).toEqual(rows);
  }
});

test("one file may mix all line ends, and those within quotes are text", async () => {
  const rows = [1, 2, 3].map((text) => ({ text: String(text) }));
  expect(await read("a.csv", "text\r\n1\n2\r3\r\n")).toEqual(rows);
  expect(await read("a.csv", 'text,label\r\n"a\r\nb",1\r"c\rd",0\n')).toEqual([
    { text: "a\r\nb", label: "1" },
    { text: "c\rd", label: "0" },
  ]);
});

test("a row below line breaks in quotes is named by its own line", async () => {
  expect(await read("a.csv", 'text,label\r\n"a\r\nb",1\r\n\r\nc,0,9\r\n')).toMatch(
    /^data\/a\.csv line 5: 3 fields under/,
  );
  expect(await read("a.csv", 'text,label\n"a\nb",1\n\nc,0,9\n')).toMatch(/^data\/a\.csv line 5: 3 fields under/);
});
