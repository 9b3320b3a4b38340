import { readdirSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { Command } from "commander";
import { KitError } from "../../error.ts";
import { parseCommand, runCommand, whole } from "../commandLine.ts";
import { type Outcome, runNotebook } from "./runNotebook.ts";
import { sourcesOf } from "./sources.ts";

interface Options {
  readonly smoke: boolean;
  readonly store: boolean;
  readonly jobs?: number;
  readonly timeout: number;
}

const FOLDER = "notebooks";

function command(): Command {
  return new Command("npm run notebooks --")
    .description(
      "Runs notebooks without Jupyter, by tslab's own compiler: each in a process of its own, cells in order, types checked. What they measure goes to data/runs, their figures to figures.",
    )
    .argument("[notebooks...]", "their numbers, names or paths (default: all of notebooks/)")
    .option("--smoke", "seconds each: small settings, into data/runs/smoke and figures/smoke", false)
    .option("--store", "writes what the cells show into the notebooks", false)
    .option("--jobs <n>", "notebooks at a time (default: 1, in smoke runs 2)", whole(1))
    .option("--timeout <seconds>", "how long one cell may take", whole(1), 86_400);
}

/** The files that are asked for: "5", "05" and "05-mezo" are notebooks/05-mezo.ipynb. */
function filesOf(asked: readonly string[]): string[] {
  const all = readdirSync(FOLDER)
    .filter((name) => name.endsWith(".ipynb"))
    .sort();
  if (asked.length === 0) return all.map((name) => join(FOLDER, name));
  return asked.map((one) => {
    if (one.endsWith(".ipynb")) return one;
    const found = all.find((name) => name.startsWith(`${one.padStart(2, "0")}-`) || name === `${one}.ipynb`);
    if (found !== undefined) return join(FOLDER, found);
    throw new KitError(
      `There is no notebook ${one} in ${FOLDER}/: choose ${all.map((name) => basename(name, ".ipynb")).join(", ")}.`,
    );
  });
}

async function main(argv: readonly string[]): Promise<void> {
  const { options, args } = parseCommand<Options>(command(), argv);
  const { smoke, store, jobs = smoke ? 2 : 1, timeout } = options;
  if (smoke && store)
    throw new KitError(
      "--smoke and --store were asked for together, but a smoke run's numbers mean nothing: leave out one.",
    );
  const files = filesOf(args);
  const env = { ...process.env, MEZO_CLEAN: "1", ...(smoke && { MEZO_SCALE: "smoke" }) };
  const queue = [...files];
  const failures: string[] = [];
  const next = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const outcome = await runNotebook(file, { env, secondsPerCell: timeout, onCell: shown(file) });
      tell(outcome);
      if (outcome.failed !== undefined) failures.push(outcome.failed);
      else if (store) write(file, outcome);
    }
  };
  await Promise.all(Array.from({ length: jobs }, next));
  if (failures.length === 0) return;
  process.stderr.write(`${failures.join("\n")}\n`);
  process.exitCode = 1;
}

/** On a terminal, the cell that is under way. */
function shown(file: string): (done: number, total: number) => void {
  return (done, total) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${basename(file)}: cell ${done} of ${total}`);
  };
}

function tell({ name, cells, seconds, failed }: Outcome): void {
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
  process.stdout.write(
    `${failed === undefined ? "ok    " : "FAILED"} ${name}  ${cells} cells, ${seconds.toFixed(1)} s\n`,
  );
}

/** Never half-written; lists of numbers on one line, since a figure's would be most of the file. */
function write(file: string, { notebook, reads }: Outcome): void {
  const stored = sourcesOf(notebook, reads, resolve(dirname(file), "../data"));
  const text = JSON.stringify({ ...notebook, metadata: { ...notebook.metadata, stored } }, null, 1);
  const short = text.replace(
    /\[\n\s*([-\d.e+,\s]+?)\s*\]/g,
    (_, numbers: string) => `[${numbers.replace(/\s+/g, "")}]`,
  );
  writeFileSync(`${file}.part`, `${short}\n`);
  renameSync(`${file}.part`, file);
}

await runCommand(main);
