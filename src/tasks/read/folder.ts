import { readdirSync } from "node:fs";
import { join } from "node:path";
import { KitError } from "../../error.ts";
import { jointSha256 } from "./hash.ts";
import { extensions, readRows } from "./readRows.ts";
import type { Rows } from "./rows.ts";

/** What is between a part's name and the extension: nothing, the domain of MNLI's files, or the number of one of several files. */
const MIDDLE = "(_matched)?(-\\d+-of-\\d+)?";
const ENDINGS = extensions.map((extension) => `\\${extension}`).join("|");

/**
 * Reads the rows of the first of `parts` that a folder has, such as train.tsv, train-00000-of-00001.parquet, dev_matched.tsv,
 * stsa.fine.train or TREC.train.all, and that `suits`; the first one where none does, and undefined where there is no such file.
 */
export async function readPart(
  folder: string,
  parts: readonly string[],
  suits: (rows: Rows) => boolean = () => true,
): Promise<Rows | undefined> {
  let first: Rows | undefined;
  for (const files of parts.flatMap((part) => filesOf(folder, part))) {
    const rows = await readTogether(files.map((file) => join(folder, file)));
    if (suits(rows)) return rows;
    first ??= rows;
  }
  return first;
}

/** The error for a folder without one of the `wanted` files: it says what the folder holds. */
export function missingPart(folder: string, wanted: string): KitError {
  const held = readdirSync(folder).sort().slice(0, 8).join(", ") || "nothing";
  return new KitError(
    `The data folder ${folder} has no file ${wanted} (${extensions.join(", ")}); it holds ${held}: add the file, or name a single file to have it split in three.`,
  );
}

/** The files of a part, those that belong together in one list: by extension in the order of `extensions`, then the originals' names. */
function filesOf(folder: string, part: string): string[][] {
  const names = readdirSync(folder).sort();
  const usual = extensions.map((extension) => {
    const pattern = new RegExp(`^${part}${MIDDLE}(\\${extension})(\\.gz)?$`, "i");
    return names.filter((name) => pattern.test(name));
  });
  const original = new RegExp(`\\.${part}(\\.all)?(\\.gz)?$`, "i");
  const others = names.filter((name) => original.test(name) && !new RegExp(`(${ENDINGS})$`, "i").test(name));
  const single = usual.filter((files) => files.length > 0 && !isNumbered(files[0]!)).map((files) => files.slice(0, 1));
  const numbered = usual.filter((files) => files.length > 0 && isNumbered(files[0]!));
  return [...single, ...numbered, ...others.slice(0, 1).map((name) => [name])];
}

function isNumbered(name: string): boolean {
  return /-\d+-of-\d+/.test(name);
}

async function readTogether(files: readonly string[]): Promise<Rows> {
  const parts = await Promise.all(files.map(readRows));
  if (parts.length === 1) return parts[0]!;
  return { name: files[0]!, sha256: jointSha256(parts), rows: parts.flatMap(({ rows }) => rows) };
}
