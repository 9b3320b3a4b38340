import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { expect, test } from "vitest";

const src = resolve(import.meta.dirname, "../src");

/** The names that an index file exports, each with the file that declares it. */
function exportsOf(index: string): { readonly name: string; readonly file: string }[] {
  const text = readFileSync(join(src, index), "utf8");
  return [...text.matchAll(/^export (?:type )?\{([^}]+)\} from "(\.[^"]+)";/gm)].flatMap(([, names, path]) =>
    names!.split(",").flatMap((entry) => {
      const name = entry
        .trim()
        .replace(/^type /, "")
        .split(" as ")[0]!;
      return name === "" ? [] : [{ name, file: join(src, dirname(index), path!) }];
    }),
  );
}

/** What stands before the first declaration of a name (overloads have their docstring on the first), up to the blank line above it. */
function textBefore(name: string, text: string): string | undefined {
  const declaration = new RegExp(
    `^export (?:declare )?(?:async )?(?:abstract )?(?:const|let|function|class|interface|type) ${name}\\b`,
    "m",
  );
  const at = text.search(declaration);
  return at < 0 ? undefined : text.slice(0, at).split("\n\n").at(-1)!;
}

/** The text of the file that declares a name, where the file given only hands an import on. */
function declaringText(name: string, file: string): string {
  const text = readFileSync(file, "utf8");
  if (textBefore(name, text) !== undefined) return text;
  const imports = [...text.matchAll(/^import \{([^}]+)\} from "(\.[^"]+)";/gm)];
  const found = imports.find(([, names]) => new RegExp(`\\b${name}\\b`).test(names!));
  return found ? declaringText(name, join(dirname(file), found[2]!)) : text;
}

const isDocumented = (name: string, text: string): boolean => /\*\/\n$/.test(textBefore(name, text) ?? "");

const manifest = JSON.parse(readFileSync(join(src, "../package.json"), "utf8"));
/** The files of src/ that package.json offers to import. */
const indexes = Object.values<string | { default: string }>(manifest.exports).flatMap((entry) =>
  typeof entry === "string" ? [] : [entry.default.replace("./dist/", "").replace(/\.js$/, ".ts")],
);

test("package.json offers the library and its notebook part", () => {
  expect(indexes).toEqual(expect.arrayContaining(["index.ts", "notebook/index.ts"]));
});

test.each(indexes)("every export of src/%s has a docstring", (index) => {
  const found = exportsOf(index);
  expect(found.length).toBeGreaterThan(5);
  expect(found.filter(({ name, file }) => !isDocumented(name, declaringText(name, file)))).toEqual([]);
});

test("typedoc describes the same files", () => {
  const { entryPoints } = JSON.parse(readFileSync(join(src, "../typedoc.json"), "utf8"));
  expect(entryPoints).toEqual(indexes.map((index) => `src/${index}`));
});

test("a declaration without a docstring is noticed", () => {
  expect(isDocumented("a", "/** A. */\nexport const a = 1;\n")).toBe(true);
  expect(isDocumented("a", "/** B. */\nexport const b = 1;\n\nexport const a = 1;\n")).toBe(false);
  expect(isDocumented("a", "/** B. */\nexport const b = 1;\nexport const a = 1;\n")).toBe(false);
  expect(isDocumented("a", "const c = 1;\n")).toBe(false);
});

test("CONTRIBUTING.md names scripts, files and folders that are there", () => {
  const text = readFileSync(join(src, "../CONTRIBUTING.md"), "utf8");
  const scripts = [...text.matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name!);
  expect(scripts.length).toBeGreaterThan(8);
  expect(scripts.filter((name) => !(name in manifest.scripts))).toEqual([]);
  const paths = [...text.matchAll(/\b(?:src|test|data)\/[\w./]*\w/g)].map(([path]) => path);
  expect(paths.length).toBeGreaterThan(8);
  expect(paths.filter((path) => !path.includes("NAME") && !existsSync(join(src, "..", path)))).toEqual([]);
});
