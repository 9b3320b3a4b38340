import { Template } from "@huggingface/jinja";
import { KitError, shorten } from "../error.ts";
import type { SpecialToken } from "./specialIds.ts";
import type { TokenizerFiles } from "./tokenizerFiles.ts";

/** One turn of a conversation. */
export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** What conversations are written with. */
export interface ChatFormat {
  readonly specialTokens: readonly SpecialToken[];
  /** How the model wants conversations written, in Jinja, where its files say so; `renderChat` fills it in. */
  readonly chatTemplate?: string;
}

/**
 * The chat template of a model's tokenizer files, in Jinja, where it has one: chat_template.jinja, or the `chat_template` of
 * tokenizer_config.json, of several the one named "default".
 */
export function findChatTemplate({
  config: { chat_template: found },
  chatTemplate,
}: TokenizerFiles): string | undefined {
  if (chatTemplate !== undefined) return chatTemplate;
  if (typeof found === "string") return found;
  if (!Array.isArray(found)) return undefined;
  const chosen = found.find((one) => one?.name === "default") ?? found[0];
  return typeof chosen?.template === "string" ? chosen.template : undefined;
}

/**
 * Writes a conversation by the model's chat template, up to where its next answer begins; the text has all tokens that the model wants,
 * a begin token too. Throws a KitError for a tokenizer without a template, and where the template refuses the conversation.
 */
export function renderChat({ chatTemplate, specialTokens }: ChatFormat, messages: readonly ChatMessage[]): string {
  if (chatTemplate === undefined)
    throw new KitError(
      "A conversation was to be written by the model's chat template, but its tokenizer has none: take a model that was made for conversations, or let this one continue a text.",
    );
  try {
    const tokens = specialTokens.flatMap(({ text, names }) => names.map((name) => [name, text]));
    const told = { messages, add_generation_prompt: true, tools: null, documents: null };
    return new Template(chatTemplate).render({ ...Object.fromEntries(tokens), ...told });
  } catch (error) {
    throw new KitError(
      `A conversation was to be written by the model's chat template, but that fails (${shorten((error as Error).message).replace(/\.$/, "")}): change the conversation, or take another model.`,
    );
  }
}
