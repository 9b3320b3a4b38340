import type { TaskDefinition } from "../task.ts";
import { labelField, textField } from "./fields.ts";

/** BoolQ (Table 14): a yes-or-no question about a passage. A row is {passage, question, label or answer: true, false, 1 or 0}. */
export const boolq: TaskDefinition = {
  name: "BoolQ",
  metric: "accuracy",
  loss: "candidates",
  autoregressive: {
    prompt: (row) =>
      `${textField(row, "passage", ["passage"])} ${asQuestion(textField(row, "question", ["question"]))}\n`,
    options: () => ["Yes", "No"],
  },
  // The data set counts "true" as 1, but its answer "Yes" is the first option.
  gold: (row) => [1 - labelField(row, ["label", "answer"], ["false", "true"])],
};

function asQuestion(text: string): string {
  const [first = "", ...rest] = text.endsWith("?") ? text : `${text}?`;
  return first.toUpperCase() + rest.join("");
}
