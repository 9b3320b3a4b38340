import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { KitError } from "../../src/error.ts";
import { loadTokenizer } from "../../src/text/tokenizer.ts";
import { folderWith } from "./fixtures.ts";

/** A tokenizer.json in which one part is changed, and the ids that Python's tokenizers 0.23.3 gives a text then, or the part that is refused. */
interface Variant {
  readonly name: string;
  readonly change: object;
  readonly model?: object;
  readonly text: string;
  readonly want: readonly number[] | string;
}

const { base, cases } = JSON.parse(readFileSync(join(import.meta.dirname, "variants.json"), "utf8")) as {
  readonly base: { readonly model: { readonly vocab: Readonly<Record<string, number>> } };
  readonly cases: readonly Variant[];
};

const { vocab } = base.model;
const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`);
const withBytes = { ...vocab, ...Object.fromEntries(bytes.map((byte, i) => [byte, Object.keys(vocab).length + i])) };

function load({ change, model = {} }: Variant) {
  const json = {
    ...base,
    model: { ...base.model, ...model, ...("vocab" in model && { vocab: withBytes }) },
    ...change,
  };
  return loadTokenizer(folderWith({ "tokenizer.json": JSON.stringify(json) }));
}

const computed = cases.filter(({ want }) => typeof want !== "string");
const refused = cases.filter(({ want }) => typeof want === "string");

test.each(computed.map((one) => [one.name, one] as const))("%s: the ids are those of Python's library", (_, one) => {
  expect(load(one).encode(one.text)).toEqual(one.want);
});

test.each(refused.map((one) => [one.name, one] as const))("%s is refused by its name", (_, one) => {
  expect(() => load(one)).toThrow(KitError);
  expect(() => load(one)).toThrow(`The tokenizer has ${one.want}`);
});
