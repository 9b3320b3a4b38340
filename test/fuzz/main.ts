import { fork } from "node:child_process";
import { resolve } from "node:path";
import { Command, Option } from "commander";
import { parseCommand, whole } from "../../src/cli/commandLine.ts";
import { KitError } from "../../src/error.ts";
import { terminalProgress } from "../../src/report/progress.ts";
import { useBackend } from "../../src/tensor/backend.ts";
import { caseFile, type Fault, type Reader, runCases, type Totals } from "./fuzz.ts";
import { readers } from "./readers.ts";

interface Options {
  readonly reader: readonly Reader[];
  readonly from: number;
  readonly cases: number;
  readonly keep: boolean;
}

const PROGRAM = resolve(import.meta.dirname, "run.mjs");
const MOST_FAULTS = 100;

function readersNamed(text: string): Reader[] {
  return text.split(",").map((name) => {
    const found = readers.find((reader) => reader.name === name);
    if (found) return found;
    throw new KitError(`There is no reader ${name}: choose among ${readers.map((one) => one.name).join(", ")}.`);
  });
}

function command(): Command {
  return new Command("npm run fuzz --")
    .description("Gives readers damaged files. Each case is made from its seed: --from and --cases say which seeds.")
    .addOption(
      new Option(
        "--reader <names>",
        `readers, with commas between them, of ${readers.map(({ name }) => name).join(", ")}`,
      )
        .argParser(readersNamed)
        .default(readers, "all"),
    )
    .option("--from <seed>", "the first seed", whole(0), 0)
    .option("--cases <n>", "how many cases a reader", whole(1), 2000)
    .option("--keep", "writes the first case's folder, runs nothing, and says where it is", false);
}

/** Runs the cases that the command line asks for, each reader's in a process of its own, and prints how they ended. */
export async function main(argv: readonly string[]): Promise<void> {
  const [name, from, to] = argv[0] === "--child" ? argv.slice(1) : [];
  if (name !== undefined) return inChild(readersNamed(name)[0]!, Number(from), Number(to));
  const { reader: chosen, from: first, cases, keep } = parseCommand<Options>(command(), argv).options;
  if (keep) return void process.stdout.write(`${chosen.map((reader) => caseFile(reader, first)).join("\n")}\n`);
  let faults = 0;
  for (const reader of chosen) {
    const totals = await runReader(reader, first, first + cases);
    faults += totals.faults.length;
    process.stdout.write(lineOf(reader, totals));
  }
  if (faults > 0) process.exitCode = 1;
}

/** Sends what has happened so far to the process that asked for it. */
async function inChild(reader: Reader, from: number, to: number): Promise<void> {
  await useBackend("native", { threads: 1 });
  let told = 0;
  const totals = await runCases(reader, { from, to }, (soFar) => {
    if (++told % 200 === 0) process.send!(soFar);
  });
  process.send!(totals);
  process.disconnect();
}

const sum = (a: Totals, b: Totals): Totals => ({
  ...{ read: a.read + b.read, refused: a.refused + b.refused, faults: [...a.faults, ...b.faults] },
});

/** A reader's cases; where one ends the process, the rest in another. */
async function runReader(reader: Reader, from: number, to: number): Promise<Totals> {
  const progress = terminalProgress();
  let totals: Totals = { read: 0, refused: 0, faults: [] };
  try {
    for (let seed = from; seed < to && totals.faults.length < MOST_FAULTS; ) {
      const before = totals;
      const { fatal } = await runChild(reader.name, seed, to, (soFar) => {
        totals = sum(before, soFar);
        progress.report({ label: reader.name, done: countOf(totals), total: to - from });
      });
      if (!fatal) break;
      totals = { ...totals, faults: [...totals.faults, fatal] };
      seed = fatal.seed + 1;
    }
  } finally {
    progress.stop();
  }
  return totals;
}

const countOf = ({ read, refused, faults }: Totals): number => read + refused + faults.length;

function runChild(
  reader: string,
  from: number,
  to: number,
  onTotals: (totals: Totals) => void,
): Promise<{ fatal?: Fault }> {
  const child = fork(PROGRAM, ["--child", reader, `${from}`, `${to}`], {
    ...{ execArgv: ["--max-old-space-size=1024"], stdio: ["ignore", "inherit", "pipe", "ipc"] },
  });
  let [stderr, last] = ["", from];
  child.stderr!.on("data", (text) => {
    stderr += text;
  });
  child.on("message", (totals: Totals) => {
    last = from + countOf(totals);
    onTotals(totals);
  });
  return new Promise((done) =>
    child.on("close", (code) => {
      if (code === 0) return done({});
      const told = /\{"fault":.*\}/.exec(stderr)?.[0];
      const { fault } = told ? (JSON.parse(told) as { fault: Fault }) : { fault: undefined };
      done({
        fatal: fault ?? { reader, seed: last, what: `the process ended (${code}) soon after: ${stderr.slice(-500)}` },
      });
    }),
  );
}

function lineOf({ name }: Reader, totals: Totals): string {
  const { read, refused, faults } = totals;
  const counts = `${name}: ${countOf(totals)} cases, ${read} read, ${refused} refused, ${faults.length} faults`;
  return `${[counts, ...faults.slice(0, 20).map(({ seed, what }) => `  seed ${seed}: ${what}`)].join("\n")}\n`;
}
