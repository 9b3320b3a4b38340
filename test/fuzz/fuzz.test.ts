import { expect, test } from "vitest";
import { KitError } from "../../src/error.ts";
import { testReaders } from "./cases.ts";
import { broken, caseOf } from "./fuzz.ts";
import { fileReaders, readers } from "./readers.ts";

testReaders(fileReaders);

test("a case is repeated from its reader and seed", () => {
  for (const reader of readers) expect(caseOf(reader, 7)).toEqual(caseOf(reader, 7));
  expect(caseOf(readers[0]!, 7)).not.toEqual(caseOf(readers[0]!, 8));
});

/** What the class itself would not let pass. */
const saying = (message: string): KitError => Object.assign(new KitError(""), { message });

test.each([
  ["no KitError", new TypeError("x is undefined"), /^no KitError, but TypeError/],
  ["a KitError of two lines", saying("One.\nTwo."), /"\\n" in the message/],
  ["a value that has no text", new KitError("It is [object Object]."), /"\[object" in the message/],
  ["a long message", saying("x".repeat(601)), /a message of 601 characters/],
  ["one sentence", new KitError("One sentence."), undefined],
])("the law knows %s", (_what, error, fault) => {
  if (fault) expect(broken(error, "/folder")).toMatch(fault);
  else expect(broken(error, "/folder")).toBeUndefined();
});

test("a KitError is one line without control characters, and keeps its beginning and its end where it is too long", () => {
  expect(new KitError("a\r\n  b\u001b[2Jc").message).toBe("a b\ufffd[2Jc");
  const { message } = new KitError(`${"begin".padEnd(2000, "x")}end.`);
  expect(message).toHaveLength(600);
  expect(message).toMatch(/^beginx+ … x+end\.$/);
});
