import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";

/** Makes a folder with these files for the length of a test and returns its path. */
export function dataFolder(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "mezo-data-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, dirname(name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

/** A TSV file in SST-2's layout with `rows` different sentences of alternating labels. */
export function sentencesTsv(rows: number, word = "sentence"): string {
  const lines = Array.from({ length: rows }, (_, index) => `${word} number ${index} \t${index % 2}`);
  return ["sentence\tlabel", ...lines, ""].join("\n");
}
