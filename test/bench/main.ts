import { relative } from "node:path";
import { runCommand } from "../../src/cli/commandLine.ts";
import { terminalProgress } from "../../src/report/progress.ts";
import type { Progress } from "../../src/tensor/progress.ts";
import { bestOf, type Ceilings } from "./ceilings.ts";
import { type BenchOptions, parseBenchOptions } from "./options.ts";
import { caseProfile, caseResult, ceilings } from "./ownProcess.ts";
import { profileText } from "./profileTable.ts";
import { caseLabel } from "./request.ts";
import { writeResults } from "./results.ts";
import { type BenchRow, type Measured, rowsOf } from "./row.ts";
import { benchText } from "./table.ts";

interface Found {
  readonly ceilings: Ceilings;
  readonly rows: readonly BenchRow[];
}

/** Measures the cases one after the other, between two measurements of the ceilings. */
async function measure({ request, cases }: BenchOptions, onProgress: Progress): Promise<Found> {
  const before = await ceilings(request.threads, onProgress);
  const measured: Measured[] = [];
  for (const each of cases)
    measured.push({ request: each, result: await caseResult(each, caseLabel(each), onProgress) });
  const best = bestOf(before, await ceilings(request.threads, onProgress));
  return { ceilings: best, rows: rowsOf(measured, best) };
}

/** Shows the progress of work on the terminal until it is over. */
function shown<T>(work: (onProgress: Progress) => Promise<T>): Promise<T> {
  const progress = terminalProgress();
  return work(progress.report).finally(() => progress.stop());
}

async function table(options: BenchOptions): Promise<void> {
  const { request, smoke, output } = options;
  const found = await shown((onProgress) => measure(options, onProgress));
  const warning = smoke ? "\nA smoke run: the numbers mean nothing." : "";
  process.stdout.write(`${benchText(request, found.rows, found.ceilings)}${warning}\n`);
  const { rows, tokens, threads, weights, products } = request;
  const kept = weights === "float32" ? "" : `-${weights}`;
  const formed = products ? `-${products}` : "";
  const name = `bench-${rows}x${tokens}${kept}${formed}-${threads}threads.json`;
  const file = writeResults(output, name, { request, ...found });
  process.stdout.write(`Results: ${relative(process.cwd(), file)}\n`);
}

async function profile({ cases: [first], output }: BenchOptions): Promise<void> {
  const found = await shown((onProgress) => caseProfile(first!, onProgress));
  process.stdout.write(`${profileText(first!, found)}\n`);
  const { rows, tokens, threads } = first!;
  const file = writeResults(output, `bench-profile-${rows}x${tokens}-${threads}threads.json`, {
    request: first,
    profile: found,
  });
  process.stdout.write(`Results: ${relative(process.cwd(), file)}\n`);
}

async function main(argv: readonly string[]): Promise<void> {
  const options = parseBenchOptions(argv);
  await (options.profile ? profile : table)(options);
}

await runCommand(main);
