import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type Notebook, sourceOf } from "../../src/cli/notebooks/runNotebook.ts";
import { createConverter } from "../../src/cli/notebooks/tslab.ts";
import { root } from "./runNotebooks.ts";

const folder = join(root, "notebooks");
const notebooks = readdirSync(folder).filter((name) => name.endsWith(".ipynb"));

/** The sources of a notebook's code cells. */
function codeOf(name: string): string[] {
  const { cells } = JSON.parse(readFileSync(join(folder, name), "utf8")) as Notebook;
  return cells.filter(({ cell_type }) => cell_type === "code").map(sourceOf);
}

describe("the code of each notebook", () => {
  test.each(notebooks)("%s has no line over 100 characters", (name) => {
    const long = codeOf(name).flatMap((source) => source.split("\n").filter((line) => line.length > 100));
    expect(long).toEqual([]);
  });

  // The compiler looks for the kit in a node_modules above its own folder.
  const before = process.cwd();
  process.chdir(folder);
  const converter = createConverter({ isJS: false, isBrowser: false, cwd: folder });
  process.chdir(before);
  afterAll(() => converter.close());

  test.each(notebooks)("%s type-checks, each cell after those before it", { timeout: 60_000 }, (name) => {
    let declared = "";
    for (const source of codeOf(name)) {
      const { diagnostics, declOutput } = converter.convert(declared, source) as Checked;
      expect(diagnostics.map(({ messageText }) => `${messageText} in:\n${source}`)).toEqual([]);
      declared = declOutput ?? "";
    }
  });
});

/** What tslab's compiler says of a cell, with the declarations that the next cell starts from. */
type Checked = ReturnType<ReturnType<typeof createConverter>["convert"]> & { readonly declOutput?: string };
