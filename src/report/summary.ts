import { KitError } from "../error.ts";
import { totalBytes } from "../experiment/cost.ts";
import { isMarked, listMethods } from "../measure/methods.ts";
import { dataText, findSource, listFields, weightsText } from "../record/diff.ts";
import type { Run, RunHeader, Score } from "../record/run.ts";
import { stepsTaken } from "../record/steps.ts";
import { type ShownPeak, shownPeak } from "./peak.ts";

/** Runs that belong into one table: those of a task and a model, its weights kept and its products formed alike, on one split or on each seed's, and the majority class of the task, once a seed. */
export function groupRuns(runs: readonly Run[]): Run[][] {
  const marked = runs.filter(({ header }) => isMarked(header.method));
  const keyOf = ({ header }: Run): string =>
    JSON.stringify([
      header.task,
      header.model,
      header.weights,
      header.untied,
      header.products ?? "float32",
      header.splitSeed,
    ]);
  const floors = runs.filter(({ header }) => !isMarked(header.method));
  const factsOf = ({ header }: Run): string =>
    JSON.stringify([header.task, header.data.sha256, header.split, header.splitSeed]);
  if (marked.length === 0)
    return [...new Set(floors.map(factsOf))].map((facts) => floors.filter((run) => factsOf(run) === facts));
  return [...new Set(marked.map(keyOf))].map((key) => {
    const own = marked.filter((run) => keyOf(run) === key);
    const floor = floors.filter((run) => factsOf(run) === factsOf(own[0]!));
    const seeds = [...new Set(floor.map(({ header }) => header.seed))];
    return [...seeds.map((seed) => floor.find(({ header }) => header.seed === seed)!), ...own];
  });
}

/** What must be the same in two runs, by the name of its field in the header. */
type Facts = Readonly<Record<string, unknown>>;

/**
 * Throws a KitError with the first field that tells runs apart: all of one report must be of one task, data and model, and those
 * averaged for one method must differ in nothing but their seeds and the machine.
 */
export function checkComparable(runs: readonly Run[]): void {
  const headers = runs.map(({ header }) => header);
  if (headers.length === 0) throw new KitError("A report was asked for without any run; give at least one.");
  const isOneSource = new Set(headers.map(({ data }) => findSource(data))).size === 1;
  requireEqual("A report needs runs of the same %, but these", headers, ({ task, data }) => ({
    task,
    ...(!isOneSource && { data: dataText(data) }),
  }));
  const withModel = headers.filter(({ method }) => isMarked(method));
  requireEqual(
    "A report needs runs of the same %, but these",
    withModel,
    ({ model, weightsHash, weights, untied, products = "float32" }) => ({
      model,
      weightsHash,
      products,
      ...(weights && { weights: weightsText(weights) }),
      ...(untied && { untied }),
    }),
  );
  for (const method of listMethods(runs)) {
    const own = headers.filter((header) => header.method === method);
    requireEqual(`The ${method} runs can only be averaged with the same %, but they`, own, settings);
  }
}

/** What a method finds in its seed's rows stands among its settings too: the majority's label, the strength of LP's penalty. */
const FOUND: readonly string[] = ["settings.label", "settings.C"];

function settings({ kit, split, splitSeed, tuner, adapter, settings }: RunHeader): Facts {
  const facts = [...listFields({ kit, split, splitSeed, tuner, adapter, settings })];
  return Object.fromEntries(facts.filter(([name]) => !FOUND.includes(name)));
}

function requireEqual(asked: string, headers: readonly RunHeader[], factsOf: (header: RunHeader) => Facts): void {
  const facts = headers.map(factsOf);
  for (const field of new Set(facts.flatMap(Object.keys))) {
    const values = [...new Set(facts.map((own) => own[field] ?? "none"))];
    if (values.length > 1)
      throw new KitError(`${asked.replace("%", field)} have ${values.join(" and ")}; report them apart.`);
  }
}

/** One method over its runs: what a row of the table and a mark of the figure show. */
export interface MethodSummary {
  readonly method: string;
  readonly seeds: readonly number[];
  /** Mean over the runs of the score on the test part, between 0 and 1. */
  readonly score: number;
  /** Binomial for one run; for several, their standard deviation over the root of their number. */
  readonly standardError: number;
  /** Test rows of a run: the fewest and the most. */
  readonly n: readonly [number, number];
  /** Mean optimization steps and wall-clock seconds of a run. */
  readonly steps: number;
  readonly seconds: number;
  /** Mean over the runs of the peak of memory that `shownPeak` says, in bytes. */
  readonly peakBytes: number;
  /** Mean over the runs of what the peak was predicted to be; absent where a run does not say. */
  readonly predictedBytes?: number;
}

/** One summary a method, in the order of the paper's tables; throws where a run has no test score or runs do not belong together. */
export function summarize(runs: readonly Run[]): MethodSummary[] {
  checkComparable(runs);
  const peak = shownPeak(runs);
  return listMethods(runs).map((method) =>
    summarizeMethod(
      method,
      runs.filter((run) => run.header.method === method),
      peak,
    ),
  );
}

/** The header that speaks for all the runs: that of the first with a model, since the majority class has none. */
export function headline(runs: readonly Run[]): RunHeader {
  return (runs.find(({ header }) => isMarked(header.method)) ?? runs[0]!).header;
}

/** The last score of a run on its test part: the one that is reported. */
export function testScore(run: Run): Score {
  const score = run.scores.findLast(({ on }) => on === "test");
  if (score) return score;
  throw new KitError(
    `The run of ${run.header.method} with seed ${run.header.seed} has no test score; run it to its end.`,
  );
}

function summarizeMethod(method: string, runs: readonly Run[], peak: ShownPeak): MethodSummary {
  const scores = runs.map(testScore);
  const rows = scores.map(({ n }) => n);
  const values = scores.map(({ score }) => score);
  const predicted = runs.flatMap((run) => {
    const parts = peak.predicted(run);
    return parts ? [totalBytes(parts)] : [];
  });
  return {
    method,
    seeds: runs.map(({ header }) => header.seed),
    score: mean(values),
    standardError: scores.length === 1 ? scores[0]!.standardError : standardErrorOfMean(values),
    n: [Math.min(...rows), Math.max(...rows)],
    steps: mean(runs.map(({ cost }) => cost.steps)),
    seconds: mean(runs.map(({ cost }) => cost.seconds)),
    peakBytes: mean(runs.map(peak.of)),
    ...(predicted.length === runs.length && { predictedBytes: mean(predicted) }),
  };
}

/** The arithmetic mean. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The standard deviation of values, by their number less one; NaN, which `show` prints as a dash, for a single one. */
export function standardDeviation(values: readonly number[]): number {
  return Math.sqrt(sumOfSquares(values) / (values.length - 1));
}

/** The standard error of the mean of values; NaN, which `show` prints as a dash, for a single one. */
export function standardErrorOfMean(values: readonly number[]): number {
  return Math.sqrt(sumOfSquares(values) / (values.length - 1) / values.length);
}

function sumOfSquares(values: readonly number[]): number {
  const center = mean(values);
  return values.reduce((sum, value) => sum + (value - center) ** 2, 0);
}

/** A run whose dev loss was, at every look, larger than before training. */
interface RisenLoss {
  readonly run: Run;
  readonly start: Start;
  readonly lowest: number;
}

/** The loss before training: of the dev part where that was scored then, else of the first batch. */
interface Start {
  readonly loss: number;
  readonly of: "dev" | "first batch";
}

const RISEN = "The dev loss rose in training and never fell below its start";

/**
 * What the dev loss before training is at most, by the loss of the first batch: that is of a few rows, which a model may answer by chance
 * with any small loss. In data/runs, where no run diverged, dev losses are up to 1.4 times a first batch's loss, and 3.4 times that of a
 * lucky one of 0.17; runs that diverge pass any such bar.
 */
const mostOf = (loss: number): number => 2 * Math.max(loss, 1);

/** A line for the foot of a table that names the runs whose dev loss rose and never fell below its start; none where there are no such runs. */
export function risenLossLines(runs: readonly Run[]): string[] {
  const named = [...risenByMethod(runs)].map(([method, risen]) => `${method} (${risen.map(lossText).join("; ")})`);
  if (named.length === 0) return [];
  return [`${RISEN}: ${named.join(", ")}. A smaller learning rate may help: npx mezo doctor suggests one.`];
}

/** The same for a picture, where the methods must do; undefined where there are no such runs. */
export function risenLossNote(runs: readonly Run[]): string | undefined {
  const methods = [...risenByMethod(runs).keys()];
  return methods.length > 0 ? `${RISEN}: ${methods.join(", ")}.` : undefined;
}

/** By method, and task where there are several. */
function risenByMethod(runs: readonly Run[]): Map<string, RisenLoss[]> {
  const severalTasks = new Set(runs.map(({ header }) => header.task)).size > 1;
  const found = new Map<string, RisenLoss[]>();
  for (const risen of runs.flatMap((run) => risenLoss(run) ?? [])) {
    const { method, task } = risen.run.header;
    const name = severalTasks ? `${method} on ${task}` : method;
    found.set(name, [...(found.get(name) ?? []), risen]);
  }
  return found;
}

/** "seed 1: from 0.69 in its first batch to 8.1e14 at best". */
function lossText({ run, start, lowest }: RisenLoss): string {
  const where = start.of === "dev" ? "" : " in the first batch";
  return `seed ${run.header.seed}: from ${number(start.loss)}${where} to ${number(lowest)} at best`;
}

const number = (value: number): string =>
  value < 1e4 ? String(Number(value.toPrecision(3))) : value.toExponential(1).replace("e+", "e");

function risenLoss(run: Run): RisenLoss | undefined {
  const first = run.before ? stepsTaken(run.before) : 0;
  const looks = run.scores.flatMap(({ on, step, loss }) =>
    on === "dev" && step > first && loss !== undefined ? [loss] : [],
  );
  const start = findStart(run, first);
  if (!start || looks.length === 0) return undefined;
  const lowest = Math.min(...looks);
  const bar = start.of === "dev" ? start.loss : mostOf(start.loss);
  return lowest > bar ? { run, start, lowest } : undefined;
}

/** Unknown where the steps' numbers are no losses. */
function findStart({ header, steps, scores }: Run, first: number): Start | undefined {
  const dev = scores.find(({ on, step, loss }) => on === "dev" && step === first && loss !== undefined);
  if (dev) return { loss: dev.loss!, of: "dev" };
  if (steps.length === 0 || header.settings.maximize !== undefined) return undefined;
  const [step] = steps;
  const losses = lossesOf(step!, header.tuner);
  return { loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length, of: "first batch" };
}

/** The numbers of a step that are losses: a derivative comes after one, and the norms of gradients before both sides'. */
function lossesOf({ losses }: Run["steps"][number], tuner: Run["header"]["tuner"]): readonly number[] {
  if (tuner?.name === "forward-gradient") return losses.slice(0, 1);
  return tuner?.options.scaledBy === "exact gradient norm" ? losses.slice(-2) : losses;
}
