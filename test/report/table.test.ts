import { expect, test } from "vitest";
import { type Table, toHtml, toMarkdown, toTerminal, toText } from "../../src/report/table.ts";

const table: Table = {
  columns: [
    { name: "method", align: "left" },
    { name: "steps", align: "right" },
  ],
  rows: [
    ["MeZO", "2,000"],
    ["a < b", "–"],
  ],
  caption: ["One line.", "Another."],
};

test("for the terminal a table has boxes, and its caption a line each below", () => {
  expect(toTerminal(table, true)).toBe(
    [
      ...["┌────────┬───────┐", "│ method │ steps │", "├────────┼───────┤", "│ MeZO   │ 2,000 │", "│ a < b  │     – │"],
      ...["└────────┴───────┘", "One line.", "Another."],
    ].join("\n"),
  );
  expect(toTerminal(table).split("\n")).toHaveLength(9);
});

test("for the terminal a cell that is wider than its column is wrapped between words", () => {
  const narrow = toTerminal({ columns: [{ name: "why", align: "left", width: 8 }], rows: [["one two three"]] });
  expect(narrow.split("\n").slice(3, 5)).toEqual(["│ one two  │", "│ three    │"]);
});

test("in Markdown a table has a rule with its alignments, and its caption is a paragraph", () => {
  expect(toMarkdown(table)).toBe(
    "| method | steps |\n| --- | ---: |\n| MeZO | 2,000 |\n| a < b | – |\n\nOne line. Another.",
  );
});

test("in HTML what a cell holds cannot be taken for markup", () => {
  const html = toHtml(table);
  expect(html).toContain('<caption>One line. Another.</caption><thead><tr><th style="text-align:left">method</th>');
  expect(html).toContain('<td style="text-align:left">a &lt; b</td><td style="text-align:right">–</td>');
});

test("in text columns are as wide as their widest cell, up to 200 characters", () => {
  expect(toText(table)).toBe("method  steps\n------  -----\nMeZO    2,000\na < b       –\nOne line.\nAnother.");
  const long = { ...table, rows: [...table.rows, ["x".repeat(300), "1"]] };
  expect(toText(long).split("\n")[2]).toHaveLength(200 + 2 + 5);
});

test("in text a column with a width has its words wrapped, and headings without a name are left out", () => {
  const columns = [6, 10].map((width) => ({ name: "", align: "left" as const, width }));
  expect(toText({ columns, rows: [["Eps", "g stays flat there"]] })).toBe("Eps     g stays\n        flat there");
});
