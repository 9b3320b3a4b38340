import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { loadTokenizer, type Tokenizer } from "../../src/text/tokenizer.ts";

/** Returns a new folder that holds the given files and is removed when the test ends. */
export function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "mezo-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}

const merges = ["Ġ g", "r e", "Ġg re", "a t", "Ġgre at", "Ġ b", "a d", "Ġb ad", "Ġ ï"];
const added = { "<s>": 1, "<mask>": 2, Ċ: 10, Ġ: 32, ï: 239, "»": 187, "¿": 191 };
const letters = Object.fromEntries(Array.from({ length: 94 }, (_, i) => [String.fromCharCode(33 + i), 33 + i]));
const merged = Object.fromEntries(merges.map((merge, i) => [merge.replace(" ", ""), 200 + i]));

/** A vocabulary in which ASCII characters and U+FEFF's three bytes are their own codes, " great" is 204 and " bad" 207. */
export const tinyVocab: Readonly<Record<string, number>> = { ...added, ...letters, ...merged };

/** The merges of the tiny vocabulary, as merges.txt holds them. */
export const tinyMerges: string = `#version: 0.2\n${merges.join("\n")}\n`;

/** Returns the tiny tokenizer, loaded from vocab.json and merges.txt. */
export function tinyTokenizer(): Tokenizer {
  return loadTokenizer(folderWith({ "vocab.json": JSON.stringify(tinyVocab), "merges.txt": tinyMerges }));
}

/** Returns the codes of an ASCII text, which are its ids where no merge applies. */
export function codes(text: string): number[] {
  return [...text].map((character) => character.charCodeAt(0));
}
