import { freemem, totalmem } from "node:os";
import { Command, Option } from "commander";
import { KitError } from "../error.ts";
import { type Forming, formingOf, totalBytes } from "../experiment/cost.ts";
import { choices, defaults } from "../measure/makeRequest.ts";
import {
  largestBatch,
  type MemoryQuestion,
  type MethodMemory,
  planMemory,
  TOKENS_PER_PASS,
} from "../measure/memoryPlan.ts";
import { checkWeights } from "../measure/plan.ts";
import type { MeasureRequest } from "../measure/request.ts";
import { BUNDLED_MODEL } from "../models/load.ts";
import { outlineModel } from "../models/outline.ts";
import { terminalProgress } from "../report/progress.ts";
import { mebibytes, numberColumns, toTerminal, whole as wholeText } from "../report/table.ts";
import { findGpus } from "../tensor/gpu.ts";
import { whole } from "./commandLine.ts";

const EXAMPLES = `
Examples:
  npx mezo memory                                          the bundled OPT on this machine
  npx mezo memory --model facebook/opt-13b --weights float16 --backend tensorflow --batch-size 1 --tokens 400
  npx mezo memory --model path/to/folder --tokens 256 --checkpointing
  npx mezo memory --model model.gguf --json

No weight is read: a folder's config.json, a GGUF file's header or the name of one of the paper's models is enough (opt-125m to
opt-66b, roberta-base and roberta-large). Of other models on the hub config.json is fetched, if it is not in the cache.`;

interface MemoryOptions
  extends Pick<MeasureRequest, "revision" | "backend" | "weights">,
    Pick<MemoryQuestion, "batchSize" | "tokens" | "shots" | "checkpointing"> {
  readonly model: string;
  readonly json: boolean;
}

/** The command that says what each method would hold, before anything is loaded. */
export const makeMemoryCommand = (): Command =>
  new Command("memory")
    .description(
      "Says what memory each of the paper's methods needs with a model, before it is loaded: weights, activations, temporaries, gradients and what the optimizer keeps; whether that fits the GPU that was found, or this machine's memory; and the largest batch that would.",
    )
    .summary("says what memory each method needs with a model, before it is loaded")
    .option("--model <folder|file|id>", "a folder, a weight file, a hub id or a bundled model", BUNDLED_MODEL)
    .option("--revision <name>", "of a model on the hub: a branch, tag or commit (default: main)")
    .addOption(
      new Option("--weights <format>", "what the model's matrices are kept in")
        .choices(choices.weights)
        .default(defaults.weights),
    )
    .addOption(new Option("--backend <name>", "where to compute").choices(choices.backend).default(defaults.backend))
    .option("--batch-size <n>", "examples a step", whole(1), 16)
    .option("--tokens <n>", "of an example", whole(1), 64)
    .option("--shots <n>", "demonstrations for ICL, each as long as an example", whole(1), defaults.shots)
    .option("--checkpointing", "backpropagation keeps each layer's input only, and computes the rest again", false)
    .option("--json", "as JSON, in bytes", false)
    .addHelpText("after", EXAMPLES)
    .action(tellMemory);

async function tellMemory(options: MemoryOptions): Promise<void> {
  checkWeights(options);
  const backend = options.backend === "auto" ? "native" : options.backend;
  const room = findRoom(backend);
  const question = await readQuestion(options, formingOf(backend, room.isGpu));
  const needs = planMemory(question).map((need) => ({ ...need, ...measureFit(need, question, room) }));
  const { batchSize, tokens, weights } = options;
  const kept = `${weights}, on ${backend}`;
  const text = options.json
    ? JSON.stringify({ model: question.model.id, weights, backend, batchSize, tokens, room, methods: needs }, null, 2)
    : needsText(needs, question, room, kept);
  process.stdout.write(`${text}\n`);
}

async function readQuestion(options: MemoryOptions, forming: Forming): Promise<MemoryQuestion> {
  const { model: id, revision, weights, batchSize, tokens, shots, checkpointing } = options;
  const progress = terminalProgress();
  try {
    const model = await outlineModel(id, { revision, weights, onProgress: progress.report });
    if (tokens > model.maxLength)
      throw new KitError(
        `Examples of ${tokens} tokens were asked for, but ${id} reads ${model.maxLength} at most: ask for fewer with --tokens.`,
      );
    return { model, forming, batchSize, tokens, shots, checkpointing };
  } finally {
    progress.stop();
  }
}

/** Where a model would lie, and what is free there, in bytes. */
interface Room {
  readonly name: string;
  readonly isGpu: boolean;
  readonly totalBytes: number;
  readonly freeBytes: number;
}

/** The first GPU for a backend that uses one, where one is found; else this machine's memory, or what of it this process may use. */
function findRoom(backend: string): Room {
  const [gpu] = backend === "tensorflow" || backend === "webgpu" ? findGpus() : [];
  if (gpu) return { ...gpu, isGpu: true };
  const total = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  return { name: "this machine", isGpu: false, totalBytes: total, freeBytes: Math.min(freemem(), total) };
}

interface Fit {
  readonly totalBytes: number;
  readonly fits: boolean;
  /** "any" where every batch fits; absent for a method that takes no steps. */
  readonly largestBatch?: number | "any";
}

function measureFit({ method, bytes }: MethodMemory, question: MemoryQuestion, { freeBytes }: Room): Fit {
  const largest = largestBatch(method, question, freeBytes);
  return {
    ...{ totalBytes: totalBytes(bytes), fits: totalBytes(bytes) <= freeBytes },
    ...(largest !== undefined && { largestBatch: Number.isFinite(largest) ? largest : "any" }),
  };
}

const PARTS = ["weights", "activations", "temporaries", "gradients", "optimizer"] as const;
const HEADINGS = ["method", ...PARTS, "total", "fits", "largest batch"];

function needsText(
  needs: readonly (MethodMemory & Fit)[],
  { model, batchSize, tokens }: MemoryQuestion,
  room: Room,
  kept: string,
): string {
  const inUnit = unitFor(Math.max(...needs.map((need) => need.totalBytes)));
  const rows = needs.map(({ method, bytes, totalBytes, fits, largestBatch = "–" }) => [
    method,
    ...[...PARTS.map((part) => bytes[part]), totalBytes].map(inUnit.text),
    fits ? "yes" : "no",
    String(largestBatch),
  ]);
  const count = model.parameters.reduce((sum, { value }) => sum + value.size, 0);
  const head = `${model.id}, ${wholeText(count)} weights in ${kept}; a step of ${batchSize} ${batchSize === 1 ? "example" : "examples"} of ${tokens} tokens; in ${inUnit.name}:`;
  const caption = [
    ...notes(room),
    ...(room.isGpu ? [`What the optimizer keeps stays in the process: for FT ${inGibibytes(8 * count)}.`] : []),
  ];
  return [head, toTerminal({ columns: numberColumns(HEADINGS), rows, caption }, true)].join("\n");
}

/** GiB for what does not fit a few of them, else MiB. */
function unitFor(bytes: number): { readonly name: string; readonly text: (bytes: number) => string } {
  if (bytes < 4 * 2 ** 30) return { name: "MiB", text: (part) => wholeText(mebibytes(part)) };
  return { name: "GiB", text: (part) => (part / 2 ** 30).toFixed(1) };
}

const inGibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

function notes({ name, isGpu, totalBytes, freeBytes }: Room): string[] {
  const [free, total] = [freeBytes, totalBytes].map(inGibibytes);
  const beside = isGpu
    ? "the GPU's libraries take some hundred MiB for themselves"
    : `the process without a model takes about ${wholeText(mebibytes(process.memoryUsage.rss()))} MiB`;
  return [
    `Fits: in the ${free} that are free of the ${total} of ${name}; beside it ${beside}.`,
    `Largest batch: any, where a pass of ${wholeText(TOKENS_PER_PASS)} tokens fits, the most that are run at once; larger batches take several.`,
  ];
}
