import { existsSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, extname, resolve } from "node:path";
import { createInterface } from "node:readline";
import { Command, Option } from "commander";
import { KitError } from "../error.ts";
import { type Answer, classify } from "../experiment/classify.ts";
import { loadTuned } from "../experiment/loadTuned.ts";
import type { Tuned } from "../experiment/tuned.ts";
import { choices } from "../measure/makeRequest.ts";
import { checkWritable } from "../measure/plan.ts";
import type { MeasureRequest } from "../measure/request.ts";
import { terminalProgress } from "../report/progress.ts";
import { readRows } from "../tasks/read/folder.ts";
import type { Dialect, Fields } from "../tasks/read/table.ts";
import { useBackend } from "../tensor/backend.ts";
import type { Progress } from "../tensor/progress.ts";
import { addBackend, flagName } from "./options.ts";

interface ClassifyRequest extends Dialect, Pick<MeasureRequest, "backend" | "threads" | "products"> {
  readonly model: string;
  readonly base?: string;
  readonly data?: string;
  readonly out?: string;
}

const EXAMPLES = `
Examples:
  npx mezo classify --model tuned --data new.csv --out answers.csv
  echo "It arrived broken." | npx mezo classify --model tuned
  npx mezo classify --model tuned --data new.csv > answers.csv

A file's rows need the text columns that the model was tuned on, and no label. They are written as they are, with the columns
predicted, probability, and one of each class's probability. A text of standard input is answered by its label, the label's
probability and the text, between tabs.`;

/** The command that answers new texts with a tuned model. */
export function makeClassifyCommand(): Command {
  const parser = new Command("classify")
    .description("Sorts new texts into classes with a model that mezo tune has saved.")
    .summary("sorts new texts into classes with a tuned model")
    .option("--model <folder>", "the tuned model", "tuned")
    .option("--base <folder|id>", "its base model, where that is no longer where it was")
    .option("--data <file>", "rows to answer: CSV, TSV, JSONL or Parquet (default: standard input, a text a line)")
    .option("--out <file>", "where the answered rows go, as CSV, TSV or JSONL by its ending (default: standard output)")
    .option("--encoding <name>", "of data files that are not in UTF-8, such as windows-1252")
    .addOption(
      new Option("--quoting <kind>", "double quotes in TSV and CSV: around fields, or part of the text").choices(
        choices.quoting,
      ),
    );
  addBackend(parser);
  return parser.addHelpText("after", EXAMPLES).action(answer);
}

async function answer(options: ClassifyRequest): Promise<void> {
  const { model, base, data, out, encoding, quoting, backend, threads, products } = options;
  const fromInput = data === undefined || data === "-";
  if (fromInput && out !== undefined)
    throw new KitError(`Answers were to go to ${out}, but no rows were named: give their file with --data.`);
  if (out !== undefined) checkPlace(out, data!);
  const progress = terminalProgress();
  try {
    const rows = fromInput ? undefined : (await readRows(data, { encoding, quoting })).rows.map(({ fields }) => fields);
    await useBackend(backend, { threads, products });
    const tuned = await loadTuned(model, { ...(base !== undefined && { model: base }), onProgress: progress.report });
    try {
      if (rows) await answerRows(tuned, rows, { out, onProgress: progress.report });
      else await answerLines(tuned);
    } finally {
      tuned.dispose();
    }
  } finally {
    progress.stop();
  }
}

/** Throws a KitError where answers cannot be written, or would take the place of their rows. */
function checkPlace(out: string, data: string): void {
  checkWritable(dirname(resolve(out)), flagName("out"));
  if (existsSync(out) && existsSync(data) && realpathSync(out) === realpathSync(data))
    throw new KitError(
      `${out}: answers were to be written there, but their rows are in it; name another file with --out.`,
    );
}

/** Answers the texts of standard input, each line when it comes on a terminal, else all together. */
async function answerLines({ model, task }: Tuned): Promise<void> {
  const answerAll = async (texts: readonly string[]): Promise<void> => {
    const answers = await classify(model, task, texts);
    for (const [i, { label, probability }] of answers.entries())
      process.stdout.write(`${label}\t${probability.toFixed(4)}\t${texts[i]}\n`);
  };
  const waiting: string[] = [];
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() === "") continue;
    if (process.stdin.isTTY) await answerAll([line]);
    else waiting.push(line);
  }
  if (waiting.length > 0) await answerAll(waiting);
}

/** Where answered rows go, and who hears how far they are. */
interface RowsOptions {
  readonly out: string | undefined;
  readonly onProgress: Progress;
}

async function answerRows({ model, task }: Tuned, rows: readonly Fields[], options: RowsOptions): Promise<void> {
  const { out, onProgress } = options;
  checkColumns(rows[0]!);
  const answers = await classify(model, task, rows, { onProgress });
  const format = FORMATS[out === undefined ? ".csv" : extname(out).toLowerCase()] ?? FORMATS[".csv"]!;
  const text = format(rows.map((row, i) => ({ ...row, ...answerFields(answers[i]!) })));
  if (out === undefined) return void process.stdout.write(text);
  writeWhole(out, text);
  process.stdout.write(`${out}: ${rows.length.toLocaleString("en")} rows answered.\n`);
}

const ADDED = ["predicted", "probability"] as const;

function checkColumns(row: Fields): void {
  const taken = ADDED.find((name) => name in row);
  if (taken !== undefined)
    throw new KitError(
      `The rows have a column ${taken} already, which the answers would take the place of: rename it.`,
    );
}

function answerFields({ label, probability, probabilities }: Answer): Fields {
  const each = Object.entries(probabilities).map(([name, p]) => [`p(${name})`, round(p)]);
  return { predicted: label, probability: round(probability), ...Object.fromEntries(each) };
}

const round = (p: number): number => Number(p.toFixed(4));

/** How rows are written, by the ending of the file's name. */
const FORMATS: Readonly<Record<string, (rows: readonly Fields[]) => string>> = {
  ".csv": (rows) => delimited(rows, ","),
  ".tsv": (rows) => delimited(rows, "\t"),
  ".jsonl": (rows) => rows.map((row) => `${JSON.stringify(row, plainNumber)}\n`).join(""),
};

/** Rows as RFC 4180 has them, under a line with the columns' names. */
function delimited(rows: readonly Fields[], mark: string): string {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lines = [names, ...rows.map((row) => names.map((name) => cellText(row[name])))];
  return lines.map((cells) => `${cells.map((cell) => quote(cell, mark)).join(mark)}\n`).join("");
}

function cellText(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value, plainNumber) : String(value);
}

/** JSON has no bigint, which Parquet files hold. */
const plainNumber = (_name: string, value: unknown): unknown => (typeof value === "bigint" ? Number(value) : value);

const quote = (cell: string, mark: string): string =>
  cell.includes(mark) || /["\r\n]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;

/** Writes a file under another name first, so that it is never half there. */
function writeWhole(path: string, text: string): void {
  const next = `${path}.${process.pid}.next`;
  try {
    writeFileSync(next, text);
    renameSync(next, path);
  } catch (error) {
    rmSync(next, { force: true });
    const { code } = error as NodeJS.ErrnoException;
    throw new KitError(
      `${path}: answers were to be written there, but it cannot be (${code}); name another file with --out.`,
    );
  }
}
