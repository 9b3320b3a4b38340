import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");
const readme = readFileSync(join(root, "README.md"), "utf8");
const blocks = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, block]) => block!);

/** Algorithm 1, as its file has it: the exported function from its first line to its last. */
function algorithm1(): string {
  const text = readFileSync(join(root, "src/tuners/mezo.ts"), "utf8");
  return /^export async function algorithm1[\s\S]*?^\}\n/m.exec(text)![0];
}

test("the README quotes Algorithm 1 from src/tuners/mezo.ts byte for byte, in at most 12 lines", () => {
  expect(blocks).toContain(algorithm1());
  expect(algorithm1().trim().split("\n").length).toBeLessThanOrEqual(12);
});

test("the README's code type-checks, one block after the other as in a notebook", () => {
  const cells = blocks.filter((block) => block !== algorithm1());
  expect(cells.length).toBeGreaterThanOrEqual(3);
  mkdirSync(join(root, ".cache"), { recursive: true });
  const folder = mkdtempSync(join(root, ".cache/readme-"));
  try {
    writeFileSync(join(folder, "readme.ts"), cells.join("\n"));
    const options = { noEmit: true, isolatedDeclarations: false, declaration: false, noUnusedLocals: false };
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ extends: join(root, "tsconfig.json"), compilerOptions: options, include: ["readme.ts"] }),
    );
    const compiler = join(root, "node_modules/typescript/bin/tsc");
    const { stdout, status } = spawnSync(process.execPath, [compiler, "-p", folder], { encoding: "utf8" });
    expect(stdout).toBe("");
    expect(status).toBe(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("every file and folder that the README links to is there", () => {
  const links = [...readme.matchAll(/\]\(([^)#]+)\)/g)]
    .map(([, link]) => link!)
    .filter((link) => !/^https?:/.test(link));
  expect(links.length).toBeGreaterThan(8);
  for (const link of links) expect(() => statSync(join(root, link)), link).not.toThrow();
});

test("the README's map names every folder of src/", () => {
  const folders = readdirSync(join(root, "src"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const { name } of folders) expect(readme).toMatch(new RegExp(`^ +(src/)?${name}/ `, "m"));
});

test("the README is short, and no line of it is longer than a screen", () => {
  const lines = readme.trimEnd().split("\n");
  expect(lines.length).toBeLessThanOrEqual(210);
  const prose = lines.filter((line) => !/^([|┌├└│±]| {4})/.test(line)); // tables and their captions are as programs print them
  expect(prose.filter((line) => line.length > 160)).toEqual([]);
});
