import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import type { Notebook } from "../../src/cli/notebooks/runNotebook.ts";
import { changedSince, type Sources } from "../../src/cli/notebooks/sources.ts";

const root = resolve(import.meta.dirname, "../..");
const notebooks = readdirSync(join(root, "notebooks")).filter((name) => name.endsWith(".ipynb"));

const read = (name: string): Notebook => JSON.parse(readFileSync(join(root, "notebooks", name), "utf8")) as Notebook;

/** What is to be done: the first line that a failure shows. */
const again = (name: string): string => `store ${name} again: npm run notebooks -- --store ${name.slice(0, 2)}`;

describe("what a notebook shows", () => {
  test.each(notebooks)("%s was made by its cells as they are, from the files of data/ as they are", (name) => {
    const notebook = read(name);
    const { stored } = (notebook.metadata ?? {}) as { stored?: Sources };
    expect(stored, again(name)).toBeDefined();
    expect(changedSince(notebook, stored!, join(root, "data")), again(name)).toEqual([]);
  });
});
