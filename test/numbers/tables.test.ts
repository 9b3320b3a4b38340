import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { JSDOM } from "jsdom";
import { describe, expect, test } from "vitest";
import { besidePaper, tasksBesidePaper } from "../../src/notebook/results.ts";
import type { Cell } from "../../src/notebook/tables.ts";
import { groupRuns } from "../../src/report/summary.ts";
import { runsIn } from "./claims.ts";

const root = resolve(import.meta.dirname, "../..");

/** A table of a notebook's stored output: where it is, and its rows' cells by column. */
interface Stored {
  readonly where: string;
  readonly rows: readonly Readonly<Record<string, string>>[];
}

interface NotebookCell {
  readonly id: string;
  readonly outputs?: readonly { readonly data?: Readonly<Record<string, string | readonly string[]>> }[];
}

function storedTables(name: string): Stored[] {
  const { cells } = JSON.parse(readFileSync(join(root, "notebooks", name), "utf8")) as { cells: NotebookCell[] };
  return cells.flatMap(({ id, outputs = [] }) =>
    outputs.flatMap(({ data = {} }) => {
      const html = [data["text/html"] ?? []].flat().join("");
      const table = new JSDOM(html).window.document.querySelector("table");
      return table ? [{ where: `${name}, cell ${id}`, rows: rowsOf(table) }] : [];
    }),
  );
}

function rowsOf(table: Element): Record<string, string>[] {
  const texts = (of: Element, tag: string): string[] => [...of.querySelectorAll(tag)].map((cell) => cell.textContent!);
  const names = texts(table, "thead th");
  return [...table.querySelectorAll("tbody tr")].map((row) =>
    Object.fromEntries(texts(row, "td").map((text, j) => [names[j]!, text])),
  );
}

/** A cell as `show` writes it. */
const shown = (cell: Cell): string =>
  cell === null || cell === undefined || cell === "" || Number.isNaN(cell)
    ? "–"
    : typeof cell !== "number"
      ? String(cell)
      : Number.isInteger(cell)
        ? cell.toLocaleString("en-US")
        : cell.toFixed(1);

const FOLDERS = ["", "notebooks", "table1", "table18", "ablations"];

/** Every row that the kit's tables beside the paper give of committed runs, by its table's first column and its cells. */
function sources(): Set<string> {
  const groups = FOLDERS.flatMap((folder) => groupRuns(runsIn(folder)));
  const methods = new Set(groups.flat().map(({ header }) => header.method));
  const rows = [
    ...groups.flatMap((group) => besidePaper(group)),
    ...[...methods].flatMap((method) => tasksBesidePaper(groups.flat().length ? runsIn("table1") : [], method)),
  ];
  return new Set(rows.map((row) => keyOf(Object.entries(row).map(([name, cell]) => [name, shown(cell)]))));
}

/** Notebooks whose tables rename or choose columns, which this test does not follow. */
const UNTRACED = ["00", "09", "13"];

const keyOf = (cells: readonly (readonly [string, string])[]): string => JSON.stringify(cells);

describe("every table beside the paper that a notebook shows", () => {
  const known = sources();
  const notebooks = readdirSync(join(root, "notebooks")).filter((name) => name.endsWith(".ipynb"));
  const tables = notebooks
    .flatMap(storedTables)
    .filter(({ where, rows }) => rows[0] && "inside noise" in rows[0] && !UNTRACED.includes(where.slice(0, 2)));

  test("is found in the notebooks on methods and tasks", () => {
    const found = new Set(tables.map(({ where }) => where.slice(0, 2)));
    expect([...found]).toEqual(expect.arrayContaining(["02", "03", "04", "05", "06", "07"]));
  });

  test.each(tables)("$where has the rows that committed runs give", ({ rows }) => {
    const unknown = rows.filter((row) => !known.has(keyOf(Object.entries(row))));
    expect(unknown).toEqual([]);
  });
});
