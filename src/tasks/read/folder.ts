import { readdirSync, statSync } from "node:fs";
import { extname, join } from "node:path";
import { KitError, listNames, showValue } from "../../error.ts";
import { parseJson, parseJsonLines } from "./json.ts";
import { parseParquet } from "./parquet.ts";
import {
  type Dialect,
  type LocatedRow,
  type ParsedRow,
  parseCsv,
  parseLabelText,
  parseTsv,
  type Quoting,
  type Rows,
} from "./table.ts";
import { checkLines, decodeText, jointSha256, readBytes, sha256 } from "./text.ts";

type ParseText = (text: string, file: string, quoting?: Quoting) => ParsedRow[];
type Parse = (bytes: Buffer, file: string) => ParsedRow[] | Promise<ParsedRow[]>;

const TEXTS: Readonly<Record<string, ParseText>> = {
  ".tsv": parseTsv,
  ".csv": parseCsv,
  ".jsonl": parseJsonLines,
  ".json": parseJson,
  ".txt": parseLabelText,
};

/** File endings of the original SST-5 and TREC files. */
const LABEL_TEXTS = [".train", ".dev", ".test", ".all", ".label"];

/** Extensions of the files that `readRows` understands. */
export const extensions: readonly string[] = [...Object.keys(TEXTS), ".parquet"];

/**
 * Reads the rows of a TSV, CSV, JSON Lines, JSON, `label text` or Parquet file by its extension, before a possible .gz. Throws a KitError
 * with file and line.
 */
export async function readRows(file: string, dialect: Dialect = {}): Promise<Rows> {
  const parse = findParser(file, dialect);
  const { packed, bytes } = readBytes(file);
  const rows = await parse(bytes, file);
  if (rows.length === 0)
    throw new KitError(`${file} is empty: it has no rows of data; give a file with labelled rows.`);
  return { name: file, sha256: sha256(packed), rows: rows.map(locate(file)) };
}

function findParser(file: string, { encoding, quoting }: Dialect): Parse {
  const extension = extname(file.replace(/\.gz$/i, "")).toLowerCase();
  if (extension === ".parquet") return parseParquet;
  const parse = LABEL_TEXTS.includes(extension) ? parseLabelText : TEXTS[extension];
  if (parse)
    return (bytes) => {
      checkLines(bytes, file);
      return parse(decodeText(bytes, file, encoding), file, quoting);
    };
  const found = extension === "" ? "no extension" : `the extension ${extension}`;
  throw new KitError(`${file} cannot be read: it has ${found}; give one of ${extensions.join(", ")}.`);
}

function locate(file: string): (row: ParsedRow) => LocatedRow {
  return ({ fields, place }) => ({ where: `${file} ${place}`, fields });
}

/** Between a part's name and its extension: the domain in MNLI's files, the number among several files, the hash of older uploads to the hub. */
const MIDDLE = "(?:_matched)?(?:-(?<index>\\d+)-of-(?<count>\\d+))?(?:-[0-9a-f]{16})?";
const ENDINGS = extensions.map((extension) => `\\${extension}`).join("|");

/** Names of the part that the best step is chosen by. */
export const DEV_PARTS: readonly string[] = ["dev", "val", "validation", "dev32"];

const PARTS = ["train", "test", ...DEV_PARTS].join("|");

/** A file of a part of a data set: "data/train-00000-of-00002.parquet" or "sst2/train/0000.parquet". */
export interface PartFile {
  readonly path: string;
  /** The folder that the parts lie in: "data" and "sst2". */
  readonly folder: string;
  readonly part: string;
  /** How many files its set has, where its name says so. */
  readonly count?: number;
}

const PART_FILE = new RegExp(`^(?:(?<folder>.+)/)?(?<part>${PARTS})${MIDDLE}(?:${ENDINGS})(?:\\.gz)?$`, "i");
const PART_FOLDER = new RegExp(`^(?:(?<folder>.+)/)?(?<part>${PARTS})/\\d+\\.parquet$`, "i");

/** What a path in a data set is a file of; undefined for a file of no part. */
export function parsePart(path: string): PartFile | undefined {
  const { folder = "", part, count } = (PART_FILE.exec(path) ?? PART_FOLDER.exec(path))?.groups ?? {};
  if (part === undefined) return undefined;
  return { path, folder, part: part.toLowerCase(), ...(count && { count: Number(count) }) };
}

/** Whether files of one part are all that it has, by what their names say. */
export function isWhole(files: readonly PartFile[]): boolean {
  return files.length > 0 && files.every(({ count = 1 }) => files.length >= count);
}

/**
 * Reads the first of `parts` in a folder that `suits`, or the first of all where none does; undefined where the folder has none. A part is
 * a file such as train.tsv, dev_matched.tsv, stsa.fine.train or TREC.train.all, or several as the hub stores them:
 * train-00000-of-00003.parquet, or train/0000.parquet. Throws a KitError where one of several is missing.
 */
export async function readPart(
  folder: string,
  parts: readonly string[],
  dialect: Dialect,
  suits: (rows: Rows) => boolean = () => true,
): Promise<Rows | undefined> {
  let first: Rows | undefined;
  for (const files of parts.flatMap((part) => findPart(folder, part))) {
    const rows = await readTogether(
      files.map((file) => join(folder, file)),
      dialect,
    );
    if (suits(rows)) return rows;
    first ??= rows;
  }
  return first;
}

/** The error for a folder without any of the `wanted` files, which lists what the folder holds. */
export function missingPart(folder: string, wanted: string): KitError {
  const held = readdirSync(folder).sort().slice(0, 8).join(", ") || "nothing";
  return new KitError(
    `The data folder ${folder} has no file ${wanted} (${extensions.join(", ")}); it holds ${held}: add the file, or name a single file to have it split in three.`,
  );
}

/** The files of a part in a folder: single files in the order of `extensions`, then several that belong together, then the originals' names. */
function findPart(folder: string, part: string): (readonly string[])[] {
  const names = readdirSync(folder).sort();
  const usual = extensions.map((extension) => matchNames(names, `${part}${MIDDLE}\\${extension}`));
  const singles = usual.flatMap((files) => files.filter(({ shard }) => !shard).slice(0, 1)).map(({ file }) => [file]);
  const shards = [...usual.map((files) => files.filter(isShard)), findShards(folder, part)];
  const original = new RegExp(`\\.${part}(\\.all)?(\\.gz)?$`, "i");
  const others = names.filter((name) => original.test(name) && !new RegExp(`(${ENDINGS})$`, "i").test(name));
  const whole = shards.filter((files) => files.length > 0).map((files) => sortSet(folder, files));
  return [...singles, ...whole, ...others.slice(0, 1).map((name) => [name])];
}

interface Found {
  readonly file: string;
  /** Its number among files that belong together; absent for a single file. */
  readonly shard?: { readonly index: number; readonly count: number };
}

type Shard = Required<Found>;

const isShard = (found: Found): found is Shard => found.shard !== undefined;

function matchNames(names: readonly string[], pattern: string): Found[] {
  return names.flatMap((file) => {
    const groups = new RegExp(`^${pattern}(?:\\.gz)?$`, "i").exec(file)?.groups;
    if (!groups) return [];
    const { index, count } = groups;
    return [index === undefined ? { file } : { file, shard: { index: Number(index), count: Number(count) } }];
  });
}

/** A part in a folder of its own, as in the hub's Parquet branch, which does not state the number of files. */
function findShards(folder: string, part: string): Shard[] {
  if (!statSync(join(folder, part), { throwIfNoEntry: false })?.isDirectory()) return [];
  const names = readdirSync(join(folder, part)).filter((name) => /^\d+\.parquet$/i.test(name));
  const indices = names.map((name) => Number.parseInt(name, 10));
  const count = Math.max(...indices) + 1;
  return names.map((name, i) => ({ file: join(part, name), shard: { index: indices[i]!, count } }));
}

/** The files of a set in order. Throws a KitError where one is missing, and for files of several sets. */
function sortSet(folder: string, shards: readonly Shard[]): string[] {
  const count = Math.max(...shards.map(({ shard }) => shard.count));
  const has = (index: number): boolean => shards.some(({ shard }) => shard.index === index);
  const [first] = shards;
  for (let index = 0; index < count; index++)
    if (!has(index))
      throw new KitError(
        `${join(folder, first!.file)} is one of ${count} files, of which number ${index} (counted from 0) is missing: download it too.`,
      );
  if (shards.length > count)
    throw new KitError(
      `${folder} holds ${shards.length} files of a set of ${count} (${listNames(shards.map(({ file }) => showValue(file)))}): keep only one set there.`,
    );
  return shards.toSorted((a, b) => a.shard.index - b.shard.index).map(({ file }) => file);
}

async function readTogether(files: readonly string[], dialect: Dialect): Promise<Rows> {
  const parts: Rows[] = [];
  for (const file of files) parts.push(await readRows(file, dialect));
  if (parts.length === 1) return parts[0]!;
  return { name: files[0]!, sha256: jointSha256(parts), rows: parts.flatMap(({ rows }) => rows) };
}
