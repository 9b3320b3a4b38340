import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");

/** A text that a reader takes numbers from: the README, the page on more than one machine, or the Markdown of a notebook. */
export interface Text {
  /** "README", "cluster", or a notebook's number. */
  readonly name: string;
  readonly text: string;
}

interface Cell {
  readonly cell_type: string;
  readonly source: string | readonly string[];
}

/** The README, the page on more than one machine, and the Markdown of every notebook. */
export function readTexts(): Text[] {
  const notebooks = readdirSync(join(root, "notebooks")).filter((name) => name.endsWith(".ipynb"));
  return [
    { name: "README", text: readFileSync(join(root, "README.md"), "utf8") },
    { name: "cluster", text: readFileSync(join(root, "cluster/README.md"), "utf8") },
    ...notebooks.map((name) => {
      const { cells } = JSON.parse(readFileSync(join(root, "notebooks", name), "utf8")) as { cells: readonly Cell[] };
      const prose = cells.filter(({ cell_type }) => cell_type === "markdown");
      return { name: name.slice(0, 2), text: prose.map(({ source }) => [source].flat().join("")).join("\n\n") };
    }),
  ];
}

const NUMBER = String.raw`\d[\d,]*(?:\.\d+)?`;
const UNITS =
  "ms|s|seconds?|minutes?|hours?|days?|[KMGT]i?B|bytes|times|points?|GFLOPS|thousand|million|billion|tokens/s|nats";

/** Numbers with a unit, which several may share ("9 to 67 MiB"), and all with a point that are no section and no model's size. */
const MEASURED = new RegExp(
  String.raw`(?<![\w.]|Section )(?:${NUMBER}(?:(?:, | to | and | or )${NUMBER})*(?:\s?[%×]|[ -](?:${UNITS})\b)|\d[\d,]*\.\d+(?!\.?\w))`,
  "g",
);

/** The text with spaces in place of what holds no measurement of its own: code, formulas and the targets of links. */
function blank(text: string): string {
  const spaces = (found: string): string => found.replace(/[^\n]/g, " ");
  return text
    .replace(/^```[\s\S]*?^```$/gm, spaces)
    .replace(/^ {4}.*$/gm, spaces)
    .replace(/`[^`\n]*`/g, spaces)
    .replace(/\$\$[\s\S]*?\$\$|\$[^$\n]+\$/g, spaces)
    .replace(/\]\([^)]*\)/g, spaces);
}

/** The numbers of a text that may be measured and stand in none of the phrases, each with the words around it. */
export function findUntraced(text: string, phrases: readonly string[]): string[] {
  const covered = phrases.flatMap((phrase) => placesOf(phrase, text));
  return [...blank(text).matchAll(MEASURED)]
    .map(({ 0: number, index }) => ({ from: index, to: index + number.length }))
    .filter(({ from, to }) => !covered.some((place) => place.from <= from && to <= place.to))
    .map(({ from, to }) => `“…${text.slice(Math.max(0, from - 40), to + 20).replace(/\s+/g, " ")}…”`);
}

function placesOf(phrase: string, text: string): { readonly from: number; readonly to: number }[] {
  const places = [];
  for (let from = text.indexOf(phrase); from >= 0; from = text.indexOf(phrase, from + 1))
    places.push({ from, to: from + phrase.length });
  return places;
}
