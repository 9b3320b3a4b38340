import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";
import { readRows } from "./read.ts";
import type { LocatedRow, Rows } from "./rows.ts";

const files = ["imdb", "amazon", "yelp"] as const;

/**
 * Returns the 3,000 labelled review sentences {text, class 0/1} that ship inside the npm package `sentiment`: 1,000 each
 * from IMDb, Amazon and Yelp, half of them positive. They come from Kotzias et al., "From Group to Individual Labels
 * using Deep Features", KDD 2015.
 */
export function reviewSentences(): Rows {
  const require = createRequire(import.meta.url);
  const manifest = require.resolve("sentiment/package.json");
  const { version } = require(manifest) as { version: string };
  const parts = files.map((file) => readRows(join(manifest, "..", "test", "fixtures", `${file}.json`)));
  const sha256 = createHash("sha256")
    .update(parts.map((part) => part.sha256).join())
    .digest("hex");
  return { name: `npm:sentiment@${version} (${files.join(", ")})`, sha256, rows: parts.flatMap(labelledRows) };
}

/** Each of the three files ends with the row {text: "", class: null}. */
function labelledRows(part: Rows): readonly LocatedRow[] {
  return part.rows.filter((row) => row.fields.class !== null);
}
