import type { Fields } from "../read/table.ts";
import type { TaskDefinition } from "../task.ts";
import { labelField, objectIn, textField } from "./fields.ts";

/**
 * WSC (Table 14): does a pronoun refer to a noun. A row is {text, span1_text, span2_text, label}, or SuperGLUE's with the spans in `target`.
 * Some of SuperGLUE's spans differ from their text in a first letter, a full stop or a line break: where the row says at which word a span
 * begins (span1_index), it is spelled as in the text, as in the copy that the authors used ("wsc.fixed").
 */
export const wsc: TaskDefinition = {
  name: "WSC",
  metric: "accuracy",
  loss: "candidates",
  autoregressive: {
    prompt: (row) =>
      `${textField(row, "text", ["text"])}\nIn the previous sentence, does the pronoun "${readSpan(row, 2).toLowerCase()}" refer to ${readSpan(row, 1)}? Yes or No?\n`,
    options: () => ["No", "Yes"],
    contentFree: () => "",
  },
  gold: (row) => [labelField(row, ["label"], ["false", "true"])],
};

function readSpan(row: Fields, number: 1 | 2): string {
  const fields = { ...row, ...objectIn(row, "target") };
  const found = textField(fields, `span ${number}`, [`span${number}_text`]);
  const text = textField(row, "text", ["text"]);
  const first = text.split(/\s+/).filter(Boolean)[Number(fields[`span${number}_index`])];
  if (text.includes(found) || first === undefined) return found;
  const fixed = matchFirstLetter(first, found).replace(/\.+$/, "").replaceAll("\n", " ");
  return text.includes(fixed) ? fixed : found;
}

/** The span with its first letter in the case of the word's first letter. */
function matchFirstLetter(word: string, span: string): string {
  const [first = "", ...rest] = span;
  const isLower = word[0] !== word[0]!.toUpperCase();
  return (isLower ? first.toLowerCase() : first.toUpperCase()) + rest.join("");
}
