import { createInterface } from "node:readline";
import { Command } from "commander";
import { KitError } from "../error.ts";
import { openModel } from "../models/load.ts";
import type { LanguageModel } from "../models/network.ts";
import { type ChatMessage, renderChat } from "../text/chatTemplate.ts";
import { addWriter, loadWriter, type WriterOptions } from "./generate.ts";
import { streamText } from "./stream.ts";

interface ChatRequest extends WriterOptions {
  readonly system?: string;
}

const EXAMPLES = `
Examples:
  npx mezo chat --model model.gguf
  npx mezo chat --model HuggingFaceTB/SmolLM2-135M-Instruct --system "Answer in one sentence."
  echo "What is the capital of France?" | npx mezo chat --model model.gguf

On a terminal an empty line or Ctrl-D ends the conversation; from a file or a pipe every line is a turn.`;

/** The command that talks with a model. */
export function makeChatCommand(): Command {
  const parser = new Command("chat")
    .description("Talks with a model that was made for conversations, by the chat template that it came with.")
    .summary("talks with a model that has a chat template")
    .option("--system <text>", "what the model is told first");
  addWriter(parser, 256);
  return parser.addHelpText("after", EXAMPLES).action(chat);
}

async function chat({ system, ...options }: ChatRequest): Promise<void> {
  const begin: readonly ChatMessage[] = system === undefined ? [] : [{ role: "system", content: system }];
  const { tokenizer } = await openModel(options.model, { revision: options.revision });
  renderChat(tokenizer, [...begin, { role: "user", content: "Hello" }]); // what is refused is so before any weight is read
  const model = await loadWriter(options);
  try {
    let messages = begin;
    for await (const line of turns()) {
      messages = forget(model, [...messages, { role: "user", content: line }], options.maxNewTokens);
      messages = [...messages, { role: "assistant", content: await answer(model, messages, options) }];
    }
  } finally {
    model.dispose();
  }
}

/** The lines that the user says: on a terminal after a sign, until an empty one. */
async function* turns(): AsyncGenerator<string> {
  const { stdin } = process;
  const terminal = stdin.isTTY === true;
  const lines = createInterface({ input: stdin, ...(terminal && { output: process.stdout, prompt: "> " }) });
  lines.on("SIGINT", () => process.exit(130)); // readline would only pause
  if (terminal) lines.prompt();
  for await (const line of lines) {
    if (terminal && line.trim() === "") return lines.close();
    if (terminal) stdin.setRawMode(false); // so that Ctrl-C ends an answer, which leaves readline no turn
    if (line.trim() !== "") yield line;
    if (terminal) stdin.setRawMode(true);
    if (terminal) lines.prompt();
  }
}

async function answer(
  model: LanguageModel,
  messages: readonly ChatMessage[],
  { maxNewTokens }: WriterOptions,
): Promise<string> {
  let begun = false;
  const onText = (piece: string): void => {
    const shown = begun ? piece : piece.trimStart();
    begun ||= shown !== "";
    process.stdout.write(shown);
  };
  const text = await streamText(model, encode(model, messages), { maxNewTokens, onText });
  process.stdout.write("\n");
  return text;
}

const encode = ({ tokenizer }: LanguageModel, messages: readonly ChatMessage[]): number[] =>
  tokenizer.encode(renderChat(tokenizer, messages));

/** The conversation without its oldest turns where the model could not read all of it and answer. Throws a KitError where the last turn alone is too long. */
function forget(model: LanguageModel, messages: readonly ChatMessage[], room: number): readonly ChatMessage[] {
  if (encode(model, messages).length + room <= model.maxLength) return messages;
  const first = messages.findIndex(({ role }) => role === "user");
  if (first === messages.length - 1)
    throw new KitError(
      `The model reads ${model.maxLength} tokens, which the last turn and an answer of ${room} exceed: say less, or ask for a shorter answer with --max-new-tokens.`,
    );
  process.stderr.write("The conversation is too long for the model: its oldest turn is forgotten.\n");
  return forget(model, messages.toSpliced(first, 2), room);
}
