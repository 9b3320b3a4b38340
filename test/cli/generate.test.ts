import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadModel } from "../../src/models/load.ts";
import type { LanguageModel } from "../../src/models/network.ts";
import { generateIds } from "../../src/nn/generate.ts";
import { useBackend } from "../../src/tensor/backend.ts";
import { tinyModel } from "../tiny.ts";
import { command, folder, inShell } from "./mezo.ts";

const plain = tinyModel();
const talking = tinyModel();
/** Words alone, so that the tiny tokenizer knows all of it. */
const TEMPLATE = "{% for message in messages %}{{ message.content }} but {% endfor %}";
writeFileSync(join(talking, "chat_template.jinja"), TEMPLATE);

let model: LanguageModel;
beforeAll(async () => {
  await useBackend("native", { threads: 1 });
  model = await loadModel(plain);
});
afterAll(() => model.dispose());

/** What the model says after a text, by the library. */
async function continued(text: string, maxNewTokens: number, begin: readonly number[] = []): Promise<string> {
  const { tokenizer } = model;
  const [made] = await generateIds(model, [Int32Array.from([...begin, ...tokenizer.encode(text)])], { maxNewTokens });
  return ` ${tokenizer.decode(made!)}`;
}

const typed = (...args: string[]): ReturnType<typeof command> => command("main", [...args, "--threads", "1"]);

describe("mezo generate", () => {
  test("continues a text of the command line, or one that is piped in, after the config's begin token", async () => {
    const { status, stdout } = typed("generate", "the film was", "--model", plain, "--max-new-tokens", "6");
    expect(status).toBe(0);
    expect(stdout).toBe(`${await continued("the film was", 6, [2])}\n`);
    const args = ["generate", "--model", plain, "--max-new-tokens", "6"];
    expect(inShell('echo "the film was" | "$0" "$@"', args, folder()).stdout).toBe(stdout);
  });

  test.each<[string, string[], RegExp]>([
    ["no text", [], /none was given: npx mezo generate "The film was"/],
    ["more tokens than the model reads", ["the", "--max-new-tokens", "63"], /63 new tokens .* the model reads 64/],
    ["no whole number of tokens", ["the", "--max-new-tokens", "0"], /'0' is invalid: it must be a whole number/],
  ])("refuses %s in one sentence", (_what, args, message) => {
    const { status, stdout, stderr } = inShell(
      '"$0" "$@" < /dev/null',
      ["generate", "--model", plain, ...args],
      folder(),
    );
    expect(status).toBe(1);
    expect(stdout).toBe("");
    expect(stderr.trim().split("\n").at(-1)).toMatch(message);
  });
});

describe("mezo chat", () => {
  const chat = (lines: string, ...args: string[]): ReturnType<typeof inShell> =>
    inShell(`printf '${lines}' | "$0" "$@"`, ["chat", "--model", talking, "--threads", "1", ...args], folder());

  test("answers each line, and knows what was said before", async () => {
    const { status, stdout } = chat("the film\\nthe plot\\n", "--max-new-tokens", "4", "--system", "a cast");
    expect(status).toBe(0);
    const first = await continued("a cast but the film but", 4);
    const second = await continued(`a cast but the film but ${first} but the plot but`, 4);
    expect(stdout).toBe(`${first.trimStart()}\n${second.trimStart()}\n`);
    expect(second).not.toBe(first);
  });

  test("forgets its oldest turn where the model can read no more, and says so", () => {
    const { status, stdout, stderr } = chat("the film was warm and fine\\n".repeat(6), "--max-new-tokens", "16");
    expect(status).toBe(0);
    expect(stdout.trim().split("\n")).toHaveLength(6);
    expect(stderr).toContain("its oldest turn is forgotten");
  });

  test("is refused with a model that has no template, before its weights are read", () => {
    const { status, stdout, stderr } = typed("chat", "--model", plain);
    expect(status).toBe(1);
    expect(stdout).toBe("");
    expect(stderr.trim().split("\n")).toEqual([expect.stringMatching(/its tokenizer has none: take a model that was/)]);
  });
});
