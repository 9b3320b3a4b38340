import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadTokenizer, type Tokenizer } from "../../src/text/tokenizer.ts";
import { folderWith } from "./fixtures.ts";

type Json = Readonly<Record<string, unknown>>;

/** A family's tokenizer files, a model by its name, and what Python's libraries make of the texts: families.py. */
interface Family {
  readonly name: string;
  readonly files: Readonly<Record<string, string | Json>>;
  readonly ids: readonly (readonly number[])[];
  /** The ids of an empty text with the special tokens around it. */
  readonly around: readonly number[];
}

const { texts, models, cases } = JSON.parse(readFileSync(join(import.meta.dirname, "families.json"), "utf8")) as {
  readonly texts: readonly string[];
  readonly models: Readonly<Record<string, Json>>;
  readonly cases: readonly Family[];
};

function load({ files }: Family): Tokenizer {
  const contents = Object.entries(files).map(([name, content]) => {
    if (typeof content === "string") return [name, content];
    const model = typeof content.model === "string" && { model: models[content.model] };
    return [name, JSON.stringify({ ...content, ...model })];
  });
  return loadTokenizer(folderWith(Object.fromEntries(contents)));
}

describe.each(cases.map((one) => [one.name, one] as const))("the tokenizer of a family: %s", (name, family) => {
  test("gives texts the ids that Python's library gives them", () => {
    const tokenizer = load(family);
    expect(texts.map((text) => tokenizer.encode(text))).toEqual(family.ids);
    expect(new Set(family.ids.flat()).size).toBeGreaterThan(20);
  });

  test("says which tokens stand around a text", () => {
    const { special } = load(family);
    const [first, last] = [family.around[0], family.around.at(-1)];
    if (name.startsWith("bert")) expect(special).toEqual({ begin: first, separator: last, mask: 4 });
    else if (name === "qwen2") expect(special.begin).toBeNull();
    else expect(special.begin).toBe(first);
  });

  test.skipIf(name.startsWith("bert"))("reads a text back", () => {
    const tokenizer = load(family);
    const text = "It's a great film, isn't it? 2024 😀";
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });
});
