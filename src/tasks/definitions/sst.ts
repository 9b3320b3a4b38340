import { createRequire } from "node:module";
import { join } from "node:path";
import { strip } from "../../text/prompt.ts";
import { readRows } from "../read/folder.ts";
import type { LocatedRow, Rows } from "../read/table.ts";
import { jointSha256 } from "../read/text.ts";
import type { TaskDefinition } from "../task.ts";
import { itWas, labelField, textField } from "./fields.ts";

const FILES = ["imdb", "amazon", "yelp"] as const;

/**
 * Reads the labelled review sentences {text, class 0/1} inside the npm package `sentiment`: 1,000 each from IMDb, Amazon and Yelp, half of
 * them positive, without the 28 that differ from an earlier one in case and punctuation only. They come from Kotzias et al., "From Group to
 * Individual Labels using Deep Features", KDD 2015.
 */
export async function readReviews(): Promise<Rows> {
  const require = createRequire(import.meta.url);
  const manifest = require.resolve("sentiment/package.json");
  const { version } = require(manifest) as { version: string };
  const files = FILES.map((file) => join(manifest, "..", "test", "fixtures", `${file}.json`));
  const parts = await Promise.all(files.map((file) => readRows(file)));
  return {
    name: `npm:sentiment@${version} (${FILES.join(", ")})`,
    sha256: jointSha256(parts),
    rows: dropRepeated(parts.flatMap(dropUnlabelled)),
  };
}

/** Each of the three files ends with the row {text: "", class: null}. */
function dropUnlabelled(part: Rows): readonly LocatedRow[] {
  return part.rows.filter((row) => row.fields.class !== null);
}

/** The first row of each sequence of words. */
function dropRepeated(rows: readonly LocatedRow[]): readonly LocatedRow[] {
  const firsts = new Map<string, LocatedRow>();
  for (const row of rows) {
    const words =
      String(row.fields.text)
        .toLowerCase()
        .match(/[\p{L}\p{N}]+/gu) ?? [];
    if (!firsts.has(words.join(" "))) firsts.set(words.join(" "), row);
  }
  return [...firsts.values()];
}

const OPTIONS = [" terrible", " great"] as const;

/**
 * SST-2 (Tables 13 and 14): the sentiment of one sentence. A row is {sentence or text, label or class: 0 negative, 1 positive}, for
 * example `{"sentence": "well-conceived ", "label": 1}`.
 */
export const sst2: TaskDefinition = {
  name: "SST-2",
  metric: "accuracy",
  loss: "candidates",
  autoregressive: {
    prompt: (row) => `${strip(textField(row, "sentence", ["sentence", "text"]))} It was`,
    options: () => OPTIONS,
    contentFree: () => " It was",
  },
  masked: {
    prompt: (row) => itWas({ text: textField(row, "sentence", ["sentence", "text"]) }),
    options: () => OPTIONS,
  },
  gold: (row) => [labelField(row, ["label", "class"], ["negative", "positive"])],
  defaultRows: readReviews,
};

const GRADES = [" terrible", " bad", " okay", " good", " great"] as const;
const GRADE_NAMES = ["very negative", "negative", "neutral", "positive", "very positive"] as const;

/** SST-5 (Table 13): the sentiment of one sentence in five grades. A row is {text or sentence, label 0–4}. */
export const sst5: TaskDefinition = {
  name: "SST-5",
  metric: "accuracy",
  loss: "candidates",
  masked: {
    prompt: (row) => itWas({ text: textField(row, "sentence", ["text", "sentence"]), maxTokens: 110 }),
    options: () => GRADES,
  },
  gold: (row) => [labelField(row, ["label"], GRADE_NAMES)],
};
