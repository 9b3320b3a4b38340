import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { adapterNamed } from "../adapters/adapter.ts";
import { saveAdapter } from "../adapters/peft.ts";
import { KitError } from "../error.ts";
import { type Replayed, replay } from "../experiment/replay.ts";
import { type LoadOptions, loadModel } from "../models/load.ts";
import { saveModel } from "../models/save.ts";
import { compactRun } from "../record/compact.ts";
import { diff, partingText } from "../record/diff.ts";
import { readRun, readUnfinished } from "../record/read.ts";
import type { UnfinishedRun } from "../record/run.ts";
import { bestStep, stepsTaken } from "../record/steps.ts";
import "../lab/index.ts"; // defines its tuners
import { terminalProgress } from "../report/progress.ts";
import { markdownTable } from "../report/runTables.ts";
import { groupRuns } from "../report/summary.ts";
import { useBackend } from "../tensor/backend.ts";
import { whole } from "./commandLine.ts";
import { drawRuns } from "./table.ts";

interface ReplayRequest {
  readonly model?: string;
  readonly step?: number | "best";
  readonly save?: string;
  readonly threads?: number;
}

const EXAMPLE = `
Example:
  npx mezo replay data/runs/sst-2-opt-reviews-mezo-seed1.jsonl --step best --save tuned`;

/** The command that replays a run's weights. */
export function makeReplayCommand(): Command {
  const step = (text: string): number | "best" => {
    if (text === "best") return text;
    if (/^\d+$/.test(text)) return Number(text);
    throw new InvalidArgumentError('it must be a number of steps, or "best" for that of the best dev score.');
  };
  return new Command("replay")
    .description("Recomputes the tuned weights of a run from its file and the base model alone, and saves them.")
    .summary("recomputes the tuned weights of a run, and saves them")
    .argument("<run>", "the run's file, finished or not")
    .option("--model <folder|id>", "the base model (default: the one that the run names, at the commit that it names)")
    .option(
      "--step <n>",
      'after how many steps, or "best" for the one that the run chose on dev (default: the last)',
      step,
    )
    .option("--save <folder>", "where the weights go, in Hugging Face's layout; an adapter's in PEFT's")
    .option("--threads <n>", "threads (default: one a core)", whole(1))
    .addHelpText("after", EXAMPLE)
    .action(replayRun);
}

/** Replays a run's weights, checks them against the hash in its file, and saves them where a folder is named. */
async function replayRun(path: string, options: ReplayRequest): Promise<void> {
  const { run } = readUnfinished(path);
  const progress = terminalProgress();
  try {
    await useBackend("auto", { threads: options.threads });
    const base = baseOf(run, options.model);
    const model = await loadModel(base.id, { ...loadAs(run), revision: base.revision, onProgress: progress.report });
    const step = options.step === "best" ? bestStep(run) : options.step;
    const loaded = performance.now();
    const replayed = await replay(model, run, { ...(step !== undefined && { step }), onProgress: progress.report });
    const seconds = (performance.now() - loaded) / 1e3;
    if (options.save !== undefined) await save(replayed, run, options.save);
    progress.stop();
    process.stdout.write(`${report(run, replayed, seconds)}${options.save ? `\nSaved: ${options.save}` : ""}\n`);
  } finally {
    progress.stop();
  }
}

/** The base model that was named, or else the run's at its commit; a folder of that name has none. */
function baseOf({ header: { model, revision } }: UnfinishedRun, named = model): { id: string; revision?: string } {
  const isOnHub = named === model && revision !== undefined && !existsSync(model);
  return { id: named, ...(isOnHub && { revision }) };
}

/** The options that load a model's weights as the run had them. */
function loadAs({ header: { weights, untied = false } }: UnfinishedRun): LoadOptions {
  return { untied, ...(weights && { weights: weights.format, rounding: weights.rounding }) };
}

async function save({ model, adapted }: Replayed, run: UnfinishedRun, folder: string): Promise<void> {
  if (!adapted) return saveModel(model, folder);
  const { name, options } = run.header.adapter!;
  await saveAdapter(folder, adapterNamed(name, options), adapted, { network: model, baseModel: run.header.model });
}

function report({ header }: UnfinishedRun, { step, checked }: Replayed, seconds: number): string {
  const rate = step > 0 ? `, ${((1e3 * seconds) / step).toFixed(2)} ms a step` : "";
  const words = checked
    ? "they are those that the run had there, to the bit"
    : "not compared with those that the run had there";
  return `${header.method} on ${header.task}, ${header.model}, seed ${header.seed}: ${step} steps replayed in ${seconds.toFixed(1)} s${rate}. Weights: ${words}.`;
}

/** The command that says where two runs part and why. */
export const makeDiffCommand = (): Command =>
  new Command("diff")
    .description("Says after which step two runs part, and why.")
    .summary("says after which step two runs part, and why")
    .argument("<run>", "a run's file, finished or not")
    .argument("<other>", "another one")
    .addHelpText("after", "\nExample:\n  npx mezo diff one.jsonl other.jsonl")
    .action(diffRuns);

function diffRuns(one: string, other: string): void {
  const [a, b] = [readUnfinished(one).run, readUnfinished(other).run];
  const parting = diff(a, b);
  process.stdout.write(
    parting
      ? `They part after ${parting.step} steps: ${partingText(parting)}.\n`
      : `They are the same over ${stepsTaken(a)} steps and ${a.scores.length} scores.\n`,
  );
}

/** The command that writes a run in the compact form: four bytes a step. */
export const makeCompactCommand = (): Command =>
  new Command("compact")
    .description("Writes a run in a binary form of four bytes a step, from which its weights can be replayed.")
    .summary("writes a run in four bytes a step")
    .argument("<run>", "the run's file")
    .argument("<file>", "where the compact form goes; a file of that name is replaced")
    .addHelpText("after", "\nExample:\n  npx mezo compact data/runs/sst-2-opt-reviews-mezo-seed1.jsonl run.mezo")
    .action(writeCompact);

function writeCompact(path: string, into: string): void {
  const { run } = readUnfinished(path);
  const bytes = compactRun(run);
  const whole = `${into}.${process.pid}`;
  try {
    writeFileSync(whole, bytes);
    renameSync(whole, into);
  } catch (error) {
    rmSync(whole, { force: true });
    const { code } = error as NodeJS.ErrnoException;
    throw new KitError(`${into}: the run was to be written there, but it cannot be (${code}); name another file.`);
  }
  process.stdout.write(`${into}: ${stepsTaken(run)} steps in ${bytes.length} bytes.\n`);
}

/** The command that prints the finished runs of a folder as the README has them. */
export const makeReportCommand = (): Command =>
  new Command("report")
    .description(
      "Prints the finished runs of a folder as Markdown tables, one a task and model, as the README has them, and draws their pictures.",
    )
    .summary("prints the finished runs of a folder as Markdown tables, and draws their pictures")
    .argument("[folder]", "where the runs are", "data/runs")
    .option("--figures <folder>", "where the pictures are written; those of equal name are replaced", "figures")
    .addHelpText("after", "\nExample:\n  npx mezo report data/runs")
    .action(reportRuns);

async function reportRuns(folder: string, { figures }: { readonly figures: string }): Promise<void> {
  const files = listFiles(folder).filter((name) => name.endsWith(".jsonl"));
  if (files.length === 0) throw new KitError(`${folder} holds no finished run: make some with npm start.`);
  const runs = files.map((name) => readRun(join(folder, name)));
  const pictures: string[] = [];
  for (const group of groupRuns(runs)) {
    process.stdout.write(`${markdownTable(group)}\n\n`);
    pictures.push(await drawRuns(group, figures));
  }
  process.stderr.write(`${pictures.join("\n")}\n`); // last, since whoever has read enough of the tables wants no more
}

function listFiles(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new KitError(
      `${folder}: finished runs were to be read there, but it cannot be (${code}); name a folder of runs, or make some with npm start.`,
    );
  }
}
