import { text as readText } from "node:stream/consumers";
import { Command, Option } from "commander";
import { KitError } from "../error.ts";
import { encodeStart } from "../experiment/generate.ts";
import { choices, defaults } from "../measure/makeRequest.ts";
import type { MeasureRequest } from "../measure/request.ts";
import { loadModel } from "../models/load.ts";
import type { LanguageModel } from "../models/network.ts";
import { terminalProgress } from "../report/progress.ts";
import { useBackend } from "../tensor/backend.ts";
import { whole } from "./commandLine.ts";
import { addBackend } from "./options.ts";
import { streamText } from "./stream.ts";

/** Where a model that writes comes from, and where it computes. */
export interface WriterOptions
  extends Pick<MeasureRequest, "model" | "revision" | "backend" | "threads" | "products" | "weights"> {
  readonly maxNewTokens: number;
}

const EXAMPLES = `
Examples:
  npx mezo generate "The film was"              the bundled OPT
  npx mezo generate --model model.gguf --max-new-tokens 40 "Once upon a time"
  echo "The film was" | npx mezo generate --model facebook/opt-125m`;

/** The command that continues a text. */
export function makeGenerateCommand(): Command {
  const parser = new Command("generate")
    .description(
      "Continues a text by the likeliest token each time, and prints the new text as it comes, up to the model's end of text.",
    )
    .summary("continues a text")
    .argument("[text]", "the beginning (default: what standard input has)");
  addWriter(parser, 50);
  return parser
    .addHelpText("after", EXAMPLES)
    .action((text: string | undefined, options: WriterOptions) => continueText(text, options));
}

/** Adds the options of commands in which a model writes. */
export function addWriter(parser: Command, maxNewTokens: number): void {
  parser
    .option("--model <folder|file|id>", "the model that writes (default: the bundled opt-reviews)")
    .option("--revision <name>", "of a model on the hub: a branch, tag or commit (default: main)")
    .option("--max-new-tokens <n>", "most tokens of an answer", whole(1), maxNewTokens)
    .addOption(
      new Option("--weights <format>", "what the model's matrices are kept in; 16 bits take half the memory")
        .choices(choices.weights)
        .default(defaults.weights),
    );
  addBackend(parser);
}

/** Loads the model of a command in which it writes, with progress on the terminal. */
export async function loadWriter({
  model,
  revision,
  backend,
  threads,
  products,
  weights,
}: WriterOptions): Promise<LanguageModel> {
  const progress = terminalProgress();
  try {
    await useBackend(backend, { threads, products });
    return await loadModel(model, { revision, weights, onProgress: progress.report });
  } finally {
    progress.stop();
  }
}

async function continueText(given: string | undefined, options: WriterOptions): Promise<void> {
  const text = given ?? (await readStandardInput());
  if (text.trim() === "")
    throw new KitError('A text was to be continued, and none was given: npx mezo generate "The film was".');
  const model = await loadWriter(options);
  try {
    const { maxNewTokens } = options;
    await streamText(model, encodeStart(model, text), {
      maxNewTokens,
      onText: (piece) => void process.stdout.write(piece),
    });
    process.stdout.write("\n");
  } finally {
    model.dispose();
  }
}

/** What is piped in, without the line break at its end; nothing where the terminal is there instead. */
async function readStandardInput(): Promise<string> {
  return process.stdin.isTTY ? "" : (await readText(process.stdin)).replace(/\r?\n$/, "");
}
