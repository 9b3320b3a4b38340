import { afterAll, expect, test } from "vitest";
import { createConverter } from "../../src/cli/notebooks/tslab.ts";

const converter = createConverter({ isJS: false, isBrowser: false });
afterAll(() => converter.close());

const messagesOf = (source: string): string[] => {
  const { diagnostics } = converter.convert("", source);
  return diagnostics.map(({ start, messageText }) => `${start.line + 1}: ${messageText}`);
};

test.each(["using file = open();", "await using file = open();"])(
  "the compiler says of %j what to write instead",
  (line) => {
    expect(messagesOf(`declare function open(): any;\n${line}\nfile.read();`)).toEqual([
      "2: Cells are compiled by TypeScript 5.0, which has no using: write const file = …, and after it try { … } finally { … } with what disposes of file.",
    ]);
  },
);

test("other mistakes keep their own messages, and using is a name like another", () => {
  expect(messagesOf("const using = 1;\nconst text: string = using;")).toEqual([
    "2: Type 'number' is not assignable to type 'string'.",
  ]);
});
