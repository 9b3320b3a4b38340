import { expect, test } from "vitest";
import { KitError } from "../../src/error.ts";
import { type EncodePromptOptions, encodeGeneration, encodePrompt } from "../../src/text/prompt.ts";
import { codes, tinyTokenizer } from "./fixtures.ts";

const defaults = { begin: 0, maxLength: 100, demonstrations: [], prompt: "so It was", options: [" bad", " great"] };

function encode(changes: Partial<EncodePromptOptions>) {
  return encodePrompt({ tokenizer: tinyTokenizer(), ...defaults, ...changes });
}

const idsOf = (encoded: ReturnType<typeof encode>): number[][] => encoded.candidates.map(({ ids }) => [...ids]);
const lengthsOf = (encoded: ReturnType<typeof encode>): number[] => encoded.candidates.map((one) => one.optionLength);

test("without demonstrations a candidate is the begin token, the prompt and the option", () => {
  const encoded = encode({ prompt: " so It was", begin: 2 });
  expect(idsOf(encoded)).toEqual([
    [2, ...codes("so It was"), 207],
    [2, ...codes("so It was"), 204],
  ]);
  expect(lengthsOf(encoded)).toEqual([1, 1]);
});

test("demonstrations are stripped and joined by empty lines before the example", () => {
  const encoded = encode({ demonstrations: ["\n x It was bad ", " y\t"] });
  expect(idsOf(encoded)[1]).toEqual([0, ...codes("x It was"), 207, ...codes("\n\ny\n\nso It was"), 204]);
  expect(lengthsOf(encoded)).toEqual([1, 1]);
});

test("only spaces are stripped from a prompt that ends in a line break, and options may have any length", () => {
  const encoded = encode({ prompt: " Yes or No?\n", options: ["Yes", "No", " No "], demonstrations: ["q"] });
  expect(idsOf(encoded)[0]).toEqual([0, ...codes("q\n\nYes or No?\nYes")]);
  expect(idsOf(encoded)[2]).toEqual([0, ...codes("q\n\nYes or No?\n No")]);
  expect(lengthsOf(encoded)).toEqual([3, 2, 3]);
});

test("an option that merges with the end of the prompt counts the difference in tokens", () => {
  const encoded = encode({ prompt: "a g", options: ["reat!"] });
  expect(idsOf(encoded)).toEqual([[0, 97, 204, 33]]);
  expect(lengthsOf(encoded)).toEqual([1]);
  expect(() => encode({ prompt: "a gr", options: ["eat"] })).toThrow(KitError); // 3 tokens before, 2 after
});

test("a text that is too long loses its left but keeps the begin token", () => {
  const demonstrations = Array.from({ length: 40 }, () => "long demonstration");
  const encoded = encode({ demonstrations, maxLength: 12 });
  expect(idsOf(encoded)).toEqual([
    [0, 10, ...codes("so It was"), 207],
    [0, 10, ...codes("so It was"), 204],
  ]);
  expect(idsOf(encode({ maxLength: 11 }))).toEqual(idsOf(encode({ maxLength: 100 })));
});

test("candidates of different lengths are each cut to the longest length", () => {
  const encoded = encode({ options: [" great", " fully bad"], maxLength: 10 });
  expect(encoded.candidates.map(({ ids }) => ids.length)).toEqual([10, 10]);
  expect(idsOf(encoded)[1]).toEqual([0, ...codes("as fully"), 207]);
});

test("an option without tokens and one that does not fit are named", () => {
  expect(() => encode({ options: [" bad", " "] })).toThrow(
    /^Encoding the option " " after "so It was": it adds no token/,
  );
  expect(() => encode({ options: ["1234567890"], maxLength: 10 })).toThrow(
    /"1234567890" .* it has 10 tokens but 9 fit/,
  );
});

test("one forward pass serves all options of one token: the prompt once, and each option's token", () => {
  const shared = encode({ demonstrations: ["x It was bad"] }).shared!;
  expect([...shared.ids]).toEqual([0, ...codes("x It was"), 207, ...codes("\n\nso It was")]);
  expect(shared.answers).toEqual([207, 204]);
  expect(shared.at).toBe(shared.ids.length - 1);
});

test("truncated candidates of one token still share their prompt", () => {
  const shared = encode({ demonstrations: ["x".repeat(99)], maxLength: 8 }).shared!;
  expect([...shared.ids]).toEqual([0, ...codes("It was")]);
});

test("options of several tokens, or behind different prompts, share no pass", () => {
  expect(encode({ options: [" great", " good"] }).shared).toBeUndefined();
  // "a g" + "reat" becomes another word, so that the text before it differs.
  expect(encode({ prompt: "a g", options: ["reat!", "!"] }).shared).toBeUndefined();
  expect(encode({ options: [] }).shared).toBeUndefined();
});

test("a prompt for generation ends where the answer begins and leaves room for 50 tokens", () => {
  const generation = (changes: Partial<EncodePromptOptions>): number[] => [
    ...encodeGeneration({ tokenizer: tinyTokenizer(), ...defaults, ...changes }),
  ];
  expect(generation({ demonstrations: ["q a "] })).toEqual([0, ...codes("q a\n\nso It was")]);
  expect(generation({ maxLength: 56 })).toEqual([0, ...codes("t was")]);
  expect(generation({ maxLength: 60 })).toEqual([0, ...codes("so It was")]);
  expect(() => generation({ maxLength: 51 })).toThrow(/sequences of 51 tokens leave no room for the prompt/);
});
