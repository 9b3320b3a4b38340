import { join } from "node:path";
import { expect, test } from "vitest";
import { readRows } from "../../src/tasks/read/folder.ts";
import type { Quoting } from "../../src/tasks/read/table.ts";
import { dataFolder } from "./dataFolder.ts";

/** The fields of the rows of a file with this text, or the error. */
async function read(name: string, text: string, quoting?: Quoting): Promise<unknown> {
  const folder = dataFolder({ [name]: text });
  return readRows(join(folder, name), { quoting }).then(
    ({ rows }) => rows.map(({ fields }) => fields),
    (error: Error) => error.message.replaceAll(folder, "data"),
  );
}

const texts = (rows: readonly string[]): object[] => rows.map((text, label) => ({ text, label: String(label) }));

// pandas 3.1: DataFrame({"text": […], "label": range(7)}).to_csv(sep="\t", index=False), and the texts that it was given.
const PANDAS =
  'text\tlabel\n"he said """"hi"""""\t0\n"a\tb"\t1\n"x ""y"" z"\t2\nplain\t3\n"""all"""\t4\n"line\nbreak"\t5\na, b\t6\n';
const GIVEN = ['he said ""hi""', "a\tb", 'x "y" z', "plain", '"all"', "line\nbreak", "a, b"];

test("a TSV file that pandas wrote gives the texts that pandas was given", async () => {
  expect(await read("a.tsv", PANDAS)).toEqual(texts(GIVEN));
  expect(await read("a.tsv", PANDAS.replaceAll(/\n(?=[^b])/g, "\r\n"))).toEqual(texts(GIVEN));
});

test.each([
  ["a line break in quotes alone", 'text\tlabel\n"a\nb"\t0\nc\t1\n', ["a\nb", "c"]],
  ["a tab in quotes alone", 'text\tlabel\n"a\tb"\t0\nc\t1\n', ["a\tb", "c"]],
  ["a header in quotes (QUOTE_NONNUMERIC, R's write.table)", '"text"\t"label"\n"a"\t0\n"b, c"\t1\n', ["a", "b, c"]],
])("a TSV file is detected as quoted by %s", async (_, text, given) => {
  expect(await read("a.tsv", text)).toEqual(texts(given));
});

test.each([
  ["a quote inside a field", '"well" he said\t0\n"no"\t1\n', ['"well" he said', '"no"']],
  ["a quote that is not closed", 'say "no\t0\nb\t1\n', ['say "no', "b"]],
  ["quotes that would close over rows of the right length", '"a\t0\nb"\t1\n', ['"a', 'b"']],
])("a TSV file is detected as unquoted, like GLUE's, by %s", async (_, rows, given) => {
  expect(await read("a.tsv", `text\tlabel\n${rows}`)).toEqual(texts(given));
});

test.each([
  ["fields in quotes with none inside", 'text\tlabel\nb\t0\n"well done"\t1\n', "line 3", '"well done"'],
  ["doubled quotes beside others that are not", 'text\tlabel\n"a ""b"""\t0\nsay "no\t1\n', "line 2", '"a ""b"""'],
])("an ambiguous TSV file (%s) is refused, with the option that decides", async (_, text, line, field) => {
  expect(await read("a.tsv", text)).toBe(
    `data/a.tsv ${line}: it is unclear whether the quotes of ${field} are part of the text or enclose it; give quoting "none" or quoting "double".`,
  );
});

test("the option quoting decides how quotes are read", async () => {
  expect(await read("a.tsv", 'text\tlabel\n"well"\t0\n', "double")).toEqual(texts(["well"]));
  expect(await read("a.tsv", 'text\tlabel\n"well"\t0\n', "none")).toEqual(texts(['"well"']));
  expect(await read("a.csv", 'text,label\nhe said "no",0\n', "none")).toEqual(texts(['he said "no"']));
  expect(await read("a.tsv", 'text\tlabel\nsay "no\t0\n', "double")).toMatch(
    /line 2: the quotes are unbalanced .*"none"/,
  );
});

// pandas 3.1: DataFrame([[0, "a b"], [1, "c"]]).to_csv(), with index=False and without, and what read_csv and to_csv(index=False) make of that.
test.each([["0,1\n0,a b\n1,c\n"], [",0,1\n0,0,a b\n1,1,c\n"], ["Unnamed: 0,0,1\n0,0,a b\n1,1,c\n"]])(
  "the positions that pandas writes for columns without names are no row: %j",
  async (text) => {
    expect(await read("a.csv", text)).toMatchObject([
      { label: "0", text: "a b" },
      { label: "1", text: "c" },
    ]);
    expect(await read("a.tsv", text.replaceAll(",", "\t"))).toMatchObject([{ label: "0" }, { label: "1", text: "c" }]);
  },
);

test("three unnamed columns are named by their positions, and an index beside named columns is an unnamed one", async () => {
  expect(await read("a.csv", "0,1,2\n7,0,a\n")).toEqual([{ 0: "7", 1: "0", 2: "a" }]);
  expect(await read("a.csv", ",text,label\n0,a,1\n")).toEqual([{ "": "0", text: "a", label: "1" }]);
});

test("a first row of a label and a text is a row", async () => {
  expect(await read("a.csv", "0,some text\n1,1\n")).toEqual([
    { label: "0", text: "some text" },
    { label: "1", text: "1" },
  ]);
  expect(await read("a.csv", "1,2\n0,some text\n")).toMatchObject([{ label: "1", text: "2" }, { label: "0" }]);
});

test.each(["a.csv", "a.tsv"])("a repeated column name in %s is refused", async (name) => {
  const text = "sentence,label,label\ns0,0,1\n".replaceAll(",", name === "a.tsv" ? "\t" : ",");
  expect(await read(name, text)).toBe(`data/${name} line 1: the column "label" is there twice; rename or remove one.`);
});

test("a repeated name in a JSON object is refused, however it is escaped and wherever it is", async () => {
  const sentence = (where: string, name: string): string =>
    `data/${where}: an object has the name ${name} twice; remove one.`;
  expect(await read("a.jsonl", '{"a":1}\n{"a":1, "b":[{"c":2,"c":3}]}\n')).toBe(sentence("a.jsonl line 2", '"c"'));
  expect(await read("a.json", '[{"la\\u0062el" :0, "label"\n:1}]')).toBe(sentence("a.json", '"label"'));
  expect(await read("a.jsonl", '{"a":{"b":"\\\\"},"b":"a\\":","c":["a","a"]}\n')).toEqual([
    { a: { b: "\\" }, b: 'a":', c: ["a", "a"] },
  ]);
});

test("errors quote little of a row, however long and deep it is", async () => {
  const nested = `${"[".repeat(9000)}${"]".repeat(9000)}`;
  const message = String(await read("a.jsonl", nested));
  expect(message).toMatch(
    /^data\/a\.jsonl line 1: a row must be an object of named fields, not \[\[\[\["…"\]\]\]\]; correct it\.$/,
  );
  expect(String(await read("a.jsonl", `"${"x".repeat(1e6)}"`)).length).toBeLessThan(250);
  expect(String(await read("a.csv", `a\n1,${"x".repeat(1e6)}\n`)).length).toBeLessThan(250);
  expect(String(await read("a.json", '[{"a":\n,"b": 1}]'))).toMatch(
    /^data\/a\.json: this is not valid JSON \([^\n]+\); correct it\.$/,
  );
  const wide = Array.from({ length: 1000 }, (_, i) => `column ${i}`).join();
  expect(String(await read("a.csv", `${wide}\n${wide},1\n`)).length).toBeLessThan(400);
});
