import type { Fields } from "../read/rows.ts";
import type { TaskDefinition } from "../task.ts";
import { labelField, objectIn, textField } from "./fields.ts";

/**
 * WSC (Table 14): does a pronoun refer to a noun. A row is {text, span1_text, span2_text, label}, or SuperGLUE's with the spans in `target`.
 * The spans stand as the file has them; the Hugging Face copy that the authors used corrects some.
 */
export const wsc: TaskDefinition = {
  name: "WSC",
  metric: "accuracy",
  loss: "candidates",
  autoregressive: {
    prompt: (row) =>
      `${textField(row, "text", ["text"])}\nIn the previous sentence, does the pronoun "${span(row, 2).toLowerCase()}" refer to ${span(row, 1)}? Yes or No?\n`,
    options: () => ["No", "Yes"],
  },
  gold: (row) => [labelField(row, ["label"], ["false", "true"])],
};

function span(row: Fields, number: 1 | 2): string {
  return textField({ ...row, ...objectIn(row, "target") }, `span ${number}`, [`span${number}_text`]);
}
