import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { KitError } from "../../src/error.ts";
import { type ChatMessage, renderChat } from "../../src/text/chatTemplate.ts";
import { loadTokenizer, type Tokenizer } from "../../src/text/tokenizer.ts";
import { tinyModel } from "../tiny.ts";

/** ChatML, as SmolLM2's and Qwen's files have it. */
const CHATML = `{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`;

/** As Llama 2's and Mistral's: turns must alternate, and the special tokens go by their names. */
const INST = `{% for message in messages %}
    {% if (message.role == 'user') != (loop.index0 % 2 == 0) %}
        {{ raise_exception('Turns must alternate, beginning with the user.') }}
    {% endif %}
    {% if message.role == 'user' %}
        {{- bos_token + '[INST] ' + message.content | trim + ' [/INST]' -}}
    {% else %}
        {{- ' ' + message.content + eos_token -}}
    {% endif %}
{% endfor %}`;

const says = (...turns: string[]): ChatMessage[] =>
  turns.map((content, i) => ({ role: i % 2 === 0 ? "user" : "assistant", content }));

/** The tokenizer of a tiny model with other files beside it. */
function tokenizerWith(files: Readonly<Record<string, unknown>>): Tokenizer {
  const folder = tinyModel();
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(folder, name), typeof content === "string" ? content : JSON.stringify(content));
  return loadTokenizer(folder);
}

describe("a conversation is written as transformers' apply_chat_template writes it", () => {
  test("by the template of tokenizer_config.json, up to where the answer begins", () => {
    const tokenizer = tokenizerWith({ "tokenizer_config.json": { chat_template: CHATML } });
    expect(renderChat(tokenizer, [{ role: "system", content: "Be brief." }, ...says("Hi", "Hello!", "Bye")])).toBe(
      "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello!<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n",
    );
  });

  test("with blocks trimmed, and special tokens by their names", () => {
    const names = { bos_token: "<s>", eos_token: { content: "</s>" } };
    const tokenizer = tokenizerWith({ "tokenizer_config.json": { ...names, chat_template: INST } });
    expect(renderChat(tokenizer, says(" Hi ", "Hello!", "Bye"))).toBe(
      "<s>[INST] Hi [/INST] Hello!</s><s>[INST] Bye [/INST]",
    );
    expect(tokenizer.specialTokens).toEqual([
      { text: "<s>", id: 0, names: ["bos_token"] },
      { text: "</s>", id: 2, names: ["eos_token"] },
    ]);
  });

  test.each<[string, Readonly<Record<string, unknown>>]>([
    [
      "chat_template.jinja, which goes before tokenizer_config.json",
      { "chat_template.jinja": "right", "tokenizer_config.json": { chat_template: "wrong" } },
    ],
    [
      "the one named default of several",
      {
        "tokenizer_config.json": {
          chat_template: [
            { name: "tool_use", template: "wrong" },
            { name: "default", template: "right" },
          ],
        },
      },
    ],
  ])("by %s", (_what, files) => {
    expect(renderChat(tokenizerWith(files), says("Hi"))).toBe("right");
  });
});

describe("a conversation is refused in one sentence", () => {
  test.each<[string, Tokenizer, ChatMessage[], RegExp]>([
    ["by a model without a template", tokenizerWith({}), says("Hi"), /its tokenizer has none: take a model that was/],
    [
      "that the template does not take",
      tokenizerWith({ "tokenizer_config.json": { chat_template: INST } }),
      [{ role: "system", content: "Be brief." }],
      /that fails \(Turns must alternate, beginning with the user\): change the conversation/,
    ],
    [
      "by a template that is no Jinja",
      tokenizerWith({ "tokenizer_config.json": { chat_template: "{% if %}" } }),
      says("Hi"),
      /chat template, but that fails \(.*\): change/,
    ],
  ])("%s", (_what, tokenizer, messages, message) => {
    expect(() => renderChat(tokenizer, messages)).toThrow(KitError);
    expect(() => renderChat(tokenizer, messages)).toThrow(message);
  });
});
