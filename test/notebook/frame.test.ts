import { expect, test } from "vitest";
import { frame, show } from "../../src/notebook/tables.ts";
import { printed } from "./printed.ts";

// Means, sums, counts and maxima are those of pandas.DataFrame of the same dicts.

test("values stand in the columns of their keys, whatever the order of a row's keys and whichever it lacks", () => {
  const table = frame([
    { method: "MeZO", accuracy: 75.1, steps: 2000 },
    { method: "Zero-shot", seconds: 1.7, accuracy: 54.3 },
    { steps: 120, accuracy: 81.3, method: "FT" },
  ]);
  expect(table.columns).toEqual(["method", "accuracy", "steps", "seconds"]);
  expect(table.accuracy.values).toEqual([75.1, 54.3, 81.3]);
  expect(table.accuracy.mean()).toBeCloseTo(70.2333, 4);
  expect(table.method.values).toEqual(["MeZO", "Zero-shot", "FT"]);
  expect(table.steps.mean()).toBe(1060);
  expect(table.seconds.sum()).toBe(1.7);
});

test.each([null, undefined, Number.NaN])("%s is missing: mean, sum, count and max leave it out", (missing) => {
  const { a } = frame([{ a: 1.5 }, { a: missing }, { a: 2.5 }]);
  expect([a.mean(), a.sum(), a.count(), a.max()]).toEqual([2, 4, 2, 2.5]);
  expect(a.isNa().values).toEqual([false, true, false]);
});

test("a column's type goes by all its values: whole numbers, numbers, booleans, and texts for the rest", () => {
  const rows = Array.from({ length: 30 }, (_, i) => ({
    whole: i,
    late: i < 25 ? i : 0.5,
    gap: i === 29 ? null : i,
    large: 2 ** 40,
    flag: i % 2 === 0,
    text: "1.5",
    mixed: i === 29 ? "many" : i,
    nothing: null,
  }));
  const { columns, dtypes } = frame(rows);
  expect(Object.fromEntries(columns.map((name, j) => [name, dtypes[j]]))).toEqual({
    ...{ whole: "int32", late: "float32", gap: "float32", large: "float32" },
    ...{ flag: "boolean", text: "string", mixed: "string", nothing: "float32" },
  });
});

test("mixed values stay as they were given", () => {
  expect(frame([{ a: 1 }, { a: "x" }, { a: true }]).values).toEqual([[1], ["x"], [true]]);
});

test("no rows are an empty table, and a column may be called as what objects inherit", () => {
  expect(frame([]).shape).toEqual([0, 0]);
  const { values } = frame([{ a: 1 }, { constructor: "own", a: 2 } as never]);
  expect(values).toEqual([
    [1, Number.NaN],
    [2, "own"],
  ]);
});

test.each([
  [[1, 2], "Array"],
  [{ b: 1 }, "Object"],
  [new Date(0), "Date"],
  [1n, "BigInt"],
])("refuses %s with its column, row and type", (value, type) => {
  expect(() => frame([{ a: 1 }, { a: value as never }])).toThrow(
    `The column a was to hold texts, numbers or booleans, but its row 2 has a value of type ${type}`,
  );
});

test("refuses a column that would hide how danfojs reads a table", () => {
  expect(() => frame([{ values: 1 }])).toThrow("A DataFrame was to have a column values");
});

test("a table of rows and one of their frame look alike, columns that the first row lacks included", () => {
  const rows = [
    { method: "MeZO", accuracy: 75.125 },
    { method: "FT", accuracy: null, steps: 120 },
  ];
  const text = "method  accuracy  steps\n------  --------  -----\nMeZO        75.1      –\nFT             –    120\n";
  expect(printed(() => show(rows))).toBe(text);
  expect(printed(() => show(frame(rows)))).toBe(text);
});

test("one long cell does not widen all rows", () => {
  const rows = [{ a: "y".repeat(1e6) }, ...Array.from({ length: 1000 }, (_, i) => ({ a: i, b: 1 }))];
  expect(printed(() => show(rows)).length).toBeLessThan(2e6);
});

test("a table of 200,000 rows is shown", () => {
  expect(printed(() => show(Array.from({ length: 200_000 }, (_, i) => ({ i })))).length).toBeGreaterThan(200_000);
});
