import { rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { Command, Option } from "commander";
import type { JoinedCluster } from "../cluster/join.ts";
import { KitError, listNames } from "../error.ts";
import { evaluate, evaluateMajority } from "../experiment/evaluate.ts";
import { type Report, report } from "../experiment/report.ts";
import { checkTunedFolder, saveTuned } from "../experiment/saveTuned.ts";
import { bestModel } from "../experiment/tuned.ts";
import type { Cluster } from "../experiment/tuneOptions.ts";
import { above0, makeRequest } from "../measure/makeRequest.ts";
import { findMethod, isMarked, paperMethods, plainName } from "../measure/methods.ts";
import { openRunFile } from "../measure/openRunFile.ts";
import { checkPrompts, checkWeights, checkWritable } from "../measure/plan.ts";
import type { MeasureOptions, MeasureRequest } from "../measure/request.ts";
import { zerothOrder } from "../measure/runMethod.ts";
import { BUNDLED_MODEL, isBundled, loadModel, openModel } from "../models/load.ts";
import type { LanguageModel } from "../models/network.ts";
import type { Run, Score } from "../record/run.ts";
import { reportTable } from "../report/classes.ts";
import { terminalProgress } from "../report/progress.ts";
import { plotReliability } from "../report/reliability.ts";
import { testScore } from "../report/summary.ts";
import { numberColumns, percent, whole as thousands, toTerminal } from "../report/table.ts";
import { type ClassificationOptions, classification } from "../tasks/classification.ts";
import { findTask } from "../tasks/index.ts";
import { loadTask } from "../tasks/load.ts";
import { hasClasses } from "../tasks/score.ts";
import type { Task, TaskDefinition } from "../tasks/task.ts";
import { useBackend } from "../tensor/backend.ts";
import type { Progress } from "../tensor/progress.ts";
import { numberThat, whole } from "./commandLine.ts";
import { abortOnSignals, unlessAborted } from "./interrupt.ts";
import { addAdapters, addMachine, addRows, addTraining, flagName, givenOptions } from "./options.ts";
import { drawPicture } from "./picture.ts";

/** The methods whose result is a model, by their names on the command line. */
const METHODS: readonly string[] = paperMethods
  .filter(({ name }) => isMarked(name) && !["Zero-shot", "ICL"].includes(name))
  .map(({ name }) => plainName(name));

const EXAMPLES = `
Examples:
  npx mezo tune --data tickets.csv --text text --label mood --out tuned
  npx mezo tune --data tickets.csv --text subject,body --label mood --method mezo-lora --steps 500
  npx mezo tune --data tickets.csv --text text --label mood --classes 'angry= angry,calm= happy' \\
                --prompt "{text} The customer is"
  npx mezo tune --task SST-2 --model facebook/opt-125m --data path/to/SST-2
  npx mezo classify --model tuned --data new.csv --out answers.csv          the next step`;

/** The options of this command beside those that \`mezo table\` has too. */
interface OwnOptions {
  readonly text?: readonly string[];
  readonly label?: string;
  readonly classes?: ClassificationOptions["classes"];
  readonly prompt?: string;
  readonly task?: string;
  readonly method?: string;
  readonly seed: number;
  readonly out: string;
  readonly figures?: string;
  readonly cluster?: string;
  readonly shards?: number;
  readonly run?: string;
  readonly patience?: number;
}

/** The command that tunes a model on a file's rows and saves it. */
export function makeTuneCommand(): Command {
  const parser = new Command("tune")
    .description(
      "Tunes a model to sort the rows of a file into classes, says how well it does on rows that it has not seen, beside the most frequent class and the model as it was, and saves it with its task for mezo classify.",
    )
    .summary("tunes a model on a file's rows, and saves it for mezo classify")
    .optionsGroup("The task:")
    .option("--text <columns>", "the column of the text, or several, separated by commas", readNames)
    .option("--label <column>", "the column of the label")
    .option(
      "--classes <pairs>",
      "labels with the words that the model answers, 'angry= angry,calm= happy', or labels alone (default: the labels in the file)",
      readClasses,
    )
    .option(
      "--prompt <text>",
      'what the model reads before the answer, "{text} The customer is" (default: text and label)',
    )
    .option("--task <name>", "one of the kit's tasks instead");
  addRows(parser);
  parser
    .optionsGroup("The run:")
    .addOption(
      new Option(
        "--method <name>",
        "how it is tuned (default: mezo; with the bundled models, which are small, ft)",
      ).choices(METHODS),
    )
    .option("--seed <n>", "draws split, batches and z", whole(0), 1);
  for (const add of [addTraining, addAdapters, addMachine]) add(parser);
  return parser
    .optionsGroup("Output:")
    .option("--out <folder>", "where the tuned model goes; another tuned model there is replaced", "tuned")
    .option("--figures <folder>", "draws there how far the model's probabilities are to be trusted")
    .option("--resume", "resumes what was cut short", false)
    .optionsGroup("More machines:")
    .option(
      "--cluster <address>",
      "has the steps computed by mezo worker on other machines, which a NATS server connects: nats://host:4222",
    )
    .option("--shards <n>", "pieces that a batch is divided into for them (default: 1)", whole(1))
    .option("--run <name>", "the run's name there (default: one that its settings give)")
    .option(
      "--patience <seconds>",
      "after which a piece without an answer is given to another of them, more than any needs for one (default: 30)",
      numberThat(above0),
    )
    .addHelpText("after", EXAMPLES)
    .action((_options, command: Command) => tuneTask(command));
}

const readNames = (text: string): string[] => text.split(",").map((name) => name.trim());

/** "angry= angry,calm= happy", or labels alone. */
function readClasses(text: string): NonNullable<ClassificationOptions["classes"]> {
  const pairs = text.split(",").map((part) => [part.split("=", 1)[0]!.trim(), part] as const);
  if (!text.includes("=")) return pairs.map(([label]) => label);
  const wordless = pairs.find(([, part]) => !part.includes("="));
  if (wordless)
    throw new KitError(
      `--classes has words for some labels and none for ${wordless[0]}: give all of them one, as in 'angry= angry,calm= happy'.`,
    );
  return Object.fromEntries(pairs.map(([label, part]) => [label, part.slice(part.indexOf("=") + 1)]));
}

function readDefinition({ text, label, classes, prompt, task }: OwnOptions): TaskDefinition {
  if (task !== undefined && text === undefined && label === undefined) return findTask(task);
  if (task === undefined && text !== undefined && label !== undefined)
    return classification({ text, label, ...(classes && { classes }), ...(prompt !== undefined && { prompt }) });
  throw new KitError(
    "mezo tune needs the columns of a file, --text and --label, or one of the kit's tasks, --task: give either.",
  );
}

async function tuneTask(command: Command): Promise<void> {
  const own = command.opts<OwnOptions & Pick<MeasureOptions, "model">>();
  const definition = readDefinition(own);
  const { text, label, classes, prompt, task, method, seed, out, figures, cluster, shards, run, patience, ...rest } =
    givenOptions<OwnOptions>(command);
  const isSmall = cluster === undefined && isBundled(own.model ?? BUNDLED_MODEL);
  const methods = [own.method ?? (isSmall ? "ft" : "mezo")];
  if (cluster !== undefined) checkShared(methods[0]!);
  const request = makeRequest({ ...rest, methods, seeds: [own.seed] } as MeasureOptions, flagName);
  const progress = terminalProgress();
  const signal = abortOnSignals();
  try {
    const made = await unlessAborted(signal, tune(definition, own, request, progress.report));
    progress.stop();
    process.stdout.write(`${resultText(made)}\n\n${await endText(own, made)}\n`);
  } finally {
    progress.stop();
  }
  process.exit(); // a GPU's driver would keep the process alive
}

/** Throws a KitError for a method whose steps no other machine can compute. */
function checkShared(name: string): void {
  const method = findMethod(name)!;
  if ("trainer" in method && method.trainer === zerothOrder) return;
  throw new KitError(
    `${method.name} was to be computed by a cluster, which computes losses on both sides of theta alone: take a method such as mezo.`,
  );
}

/** What tuning came to: the test scores of all that is compared, and the report of the tuned model where the task has classes. */
interface Result {
  readonly task: Task;
  readonly scores: readonly (readonly [method: string, score: Score])[];
  readonly report?: Report;
  readonly step: number;
  readonly steps: number;
}

async function tune(
  definition: TaskDefinition,
  own: OwnOptions,
  request: MeasureRequest,
  onProgress: Progress,
): Promise<Result> {
  const { model: id, revision, untied } = request;
  checkTunedFolder(own.out);
  checkWritable(dirname(resolve(own.out)), flagName("out"));
  if (own.figures !== undefined) checkWritable(own.figures, flagName("figures"));
  checkWeights(request);
  checkPrompts(definition, await openModel(id, { revision, untied, onProgress }));
  const cluster = await joinMachines(own);
  try {
    return await tuneOn(cluster, definition, own, request, onProgress);
  } finally {
    await cluster?.close();
  }
}

async function tuneOn(
  cluster: Cluster | undefined,
  definition: TaskDefinition,
  { out, seed }: OwnOptions,
  request: MeasureRequest,
  onProgress: Progress,
): Promise<Result> {
  const { model: id, revision, backend, threads, products, weights, rounding, untied, resume } = request;
  const { data, encoding, quoting, train, dev, test, k } = request;
  const task = await loadTask(definition, { data, encoding, quoting, train, dev, test, k, seed, onProgress });
  if (task.remark !== undefined) process.stderr.write(`${task.remark}.\n`);
  await useBackend(backend, { threads, products });
  const model = await loadModel(id, { revision, weights, rounding, untied, onProgress });
  try {
    const zeroShot = await evaluate(model, task, { seed, begin: request.begin, onProgress });
    const run = await makeRun({ model, task, seed, out, request, resume, cluster }, onProgress);
    const tuned = await bestModel(model, task, run, { onProgress });
    const found = hasClasses(task) ? await report(tuned.model, task, { onProgress }) : undefined;
    await saveTuned(tuned, out);
    rmSync(runFile(out), { force: true }); // the folder has it now
    const floor = hasClasses(task) ? [["Majority", testScore(evaluateMajority(task))] as const] : [];
    const scores = [...floor, ["Zero-shot", testScore(zeroShot)], [run.header.method, testScore(run)]] as const;
    return { task, scores, ...(found && { report: found }), step: tuned.step, steps: run.steps.length };
  } finally {
    model.dispose();
  }
}

async function joinMachines({ cluster, shards, run, patience }: OwnOptions): Promise<JoinedCluster | undefined> {
  const settings = { ...(shards && { shards }), ...(run !== undefined && { run }), ...(patience && { patience }) };
  const alone = cluster === undefined ? Object.keys(settings).map(flagName) : [];
  if (alone.length > 0) throw new KitError(`${listNames(alone)} was given without a cluster: name one with --cluster.`);
  if (cluster === undefined) return undefined;
  const { joinCluster } = await import("../cluster/join.ts");
  const onRefused = ({ message }: KitError): void => void process.stderr.write(`${message}\n`);
  return joinCluster(cluster, { onRefused, ...settings });
}

/** Where the run is until the tuned model is saved. */
const runFile = (out: string): string => `${resolve(out)}.run.jsonl`;

interface RunToMake {
  readonly model: LanguageModel;
  readonly task: Task;
  readonly seed: number;
  readonly out: string;
  readonly request: MeasureRequest;
  readonly resume: boolean;
  readonly cluster: Cluster | undefined;
}

async function makeRun(
  { out, request, resume: resumes, cluster, ...setup }: RunToMake,
  onProgress: Progress,
): Promise<Run> {
  const [method] = request.methods;
  const note = (line: string): void => void process.stderr.write(`${line}\n`);
  const { file, run: resume, end } = openRunFile(runFile(out), { resume: resumes, method: method!, note });
  try {
    const { model } = setup;
    const given = { ...setup, model: async () => model, request, onProgress, record: file, keepBest: true };
    const past = { ...(resume && { resume }), ...(cluster && { cluster }) };
    const run = await findMethod(method!)!.run({ ...given, ...past });
    end(run);
    return run;
  } finally {
    file.release();
  }
}

function resultText({ task, scores, report: found, step, steps }: Result): string {
  const { train, dev, test } = task;
  const counts = `${thousands(train.length)} train, ${thousands(dev.length)} dev and ${thousands(test.length)} test rows`;
  const rows = scores.map(([method, { score, standardError }]) => [
    method,
    `${percent(score)} ± ${percent(standardError)}`,
  ]);
  const columns = numberColumns(["", `test ${task.metric}, %`]);
  const taken =
    steps > 0 ? ` Of ${thousands(steps)} steps the weights after ${thousands(step)} are the best on dev.` : "";
  return [
    `${task.name}: ${counts}.${taken}`,
    toTerminal({ columns, rows }, true),
    ...(found ? ["", reportTable(found)] : []),
  ].join("\n");
}

/** Where the model and its picture are, and what to do next. */
async function endText({ out, figures }: OwnOptions, { task, report: found }: Result): Promise<string> {
  const picture =
    figures !== undefined &&
    found &&
    drawPicture(plotReliability(found), join(figures, `${basename(out)}-reliability`));
  const next = task.metric === "F1" ? [] : [`Next: npx mezo classify --model ${out} --data new.csv --out answers.csv`];
  return [`Saved: ${out}`, ...(picture ? [await picture] : []), ...next].join("\n");
}
