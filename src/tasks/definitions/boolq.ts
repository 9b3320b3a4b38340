import type { Fields } from "../read/table.ts";
import type { TaskDefinition } from "../task.ts";
import { labelField, textField } from "./fields.ts";

/**
 * BoolQ (Table 14): a yes-or-no question about a passage. A row is {passage, question, answer: true, false, 1 or 0}, or SuperGLUE's
 * {passage, question, label}, whose passages begin with "Title -- ", which is removed as in the copy that the authors used.
 */
export const boolq: TaskDefinition = {
  name: "BoolQ",
  metric: "accuracy",
  loss: "candidates",
  autoregressive: {
    prompt: (row) => `${readPassage(row)} ${makeQuestion(textField(row, "question", ["question"]))}\n`,
    options: () => ["Yes", "No"],
    contentFree: () => "",
  },
  // The data set counts "true" as 1, but its answer "Yes" is the first option.
  gold: (row) => [1 - labelField(row, ["label", "answer"], ["false", "true"])],
};

function readPassage(row: Fields): string {
  const passage = textField(row, "passage", ["passage"]);
  return "label" in row ? passage.replace(/^.{1,100}? -- (?=.)/, "") : passage;
}

function makeQuestion(text: string): string {
  const [first = "", ...rest] = text.endsWith("?") ? text : `${text}?`;
  return first.toUpperCase() + rest.join("");
}
