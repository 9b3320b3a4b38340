import { join, resolve } from "node:path";
import { Command, Option } from "commander";
import { type Diagnosis, diagnose } from "../lab/diagnose.ts";
import { diagnosisText, plotPlateau } from "../lab/report.ts";
import { amount } from "../measure/makeRequest.ts";
import { plainName, type TrainingMethod, trainingMethods } from "../measure/methods.ts";
import { checkWritable, rowsName } from "../measure/plan.ts";
import type { MeasureRequest } from "../measure/request.ts";
import { type AdapterSettings, defaultSettings, type Settings, zerothOrder } from "../measure/runMethod.ts";
import type { LanguageModel } from "../models/network.ts";
import { terminalProgress } from "../report/progress.ts";
import type { Progress } from "../tensor/progress.ts";
import { numberThat, whole } from "./commandLine.ts";
import { addAdapters, addData, addMachine, flagName } from "./options.ts";
import { drawPicture } from "./picture.ts";
import { loadSubject, type SubjectOptions } from "./subject.ts";

interface DoctorRequest extends SubjectOptions, AdapterSettings, Pick<MeasureRequest, "figures"> {
  readonly method: string;
  readonly lr?: number;
  readonly eps?: number;
  readonly batchSize?: number;
}

/** What can be diagnosed, by its name on the command line. */
const METHODS: ReadonlyMap<string, TrainingMethod> = new Map(
  trainingMethods.filter(({ trainer }) => trainer === zerothOrder).map((method) => [plainName(method.name), method]),
);

const EXAMPLES = `
Examples:
  npx mezo doctor                               the bundled OPT on the bundled sentences
  npx mezo doctor --method mezo-lora --lr 1e-3
  npx mezo doctor --model facebook/opt-125m --data path/to/SST-2 --eps 1e-3

Give it the settings of the run that you have in mind; what is left out is as "mezo table" has it. No step is taken.`;

/** The command that measures what a run of MeZO depends on. */
export function makeDoctorCommand(): Command {
  const parser = new Command("doctor").description(
    "Measures, in a minute or a few and before any step, what a run of MeZO depends on: over which eps the projected gradient g holds, how much of it is signal, chance and rounding, how much of a step rounding loses, and whether the prompt helps; suggests eps, learning rate and batch, and draws g over eps.",
  );
  parser.summary("measures what a run of MeZO depends on, and suggests eps, learning rate and batch");
  addData(parser);
  parser
    .optionsGroup("The run in mind:")
    .addOption(
      new Option("--method <name>", "what is trained").choices([...METHODS.keys()]).default([...METHODS.keys()][0]),
    )
    .option("--lr <rate>", "learning rate", numberThat(amount))
    .option("--eps <size>", "size of the perturbation", numberThat(amount))
    .option("--batch-size <n>", "examples a step", whole(1))
    .option("--seed <n>", "draws split, batches and z", whole(0), 1);
  addAdapters(parser);
  addMachine(parser);
  return parser
    .optionsGroup("Output:")
    .option("--figures <folder>", "where the picture is written; one of equal name is replaced", "figures")
    .addHelpText("after", EXAMPLES)
    .action(doctor);
}

/** Prints what a run of MeZO depends on, and draws g over eps. */
async function doctor(options: DoctorRequest): Promise<void> {
  const progress = terminalProgress();
  try {
    const { found, rows } = await examine(options, progress.report);
    const picture = await drawPicture(plotPlateau(found), join(resolve(options.figures), nameOf(found, rows)));
    progress.stop();
    process.stdout.write(`${diagnosisText(found)}\n${picture}\n`);
  } finally {
    progress.stop();
  }
}

interface Examination {
  readonly found: Diagnosis;
  /** What the picture's name says of the rows. */
  readonly rows: string | undefined;
}

async function examine(options: DoctorRequest, onProgress: Progress): Promise<Examination> {
  checkWritable(resolve(options.figures), flagName("figures"));
  const { model, task } = await loadSubject("doctor", options, onProgress);
  try {
    const method = METHODS.get(options.method)!;
    const { adapter } = method;
    const { lr, eps, batchSize } = chooseSettings(options, model, method);
    const settings = {
      lr,
      eps,
      batchSize,
      seed: options.seed,
      onProgress,
      ...(adapter && { adapter: adapter(options) }),
    };
    const found = await diagnose(model, task, settings);
    return { found, rows: await rowsName(task.name, [task.data]) };
  } finally {
    model.dispose();
  }
}

function chooseSettings(
  { lr, eps, batchSize }: DoctorRequest,
  model: LanguageModel,
  method: TrainingMethod,
): Omit<Settings, "steps"> {
  const defaults = defaultSettings(model, method);
  return { lr: lr ?? defaults.lr, eps: eps ?? defaults.eps, batchSize: batchSize ?? defaults.batchSize };
}

function nameOf({ task, model, weights, method }: Diagnosis, rows: string | undefined): string {
  const on = rows === undefined ? task : `${task}-${rows}`;
  const kept = weights === undefined ? "" : `-${weights.format}`;
  return `${on}-${model.replace(/^.*\//, "")}${kept}-${plainName(method)}-plateau`.toLowerCase();
}
