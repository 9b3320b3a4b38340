import type { TaskDefinition } from "../task.ts";
import { labelField } from "./fields.ts";
import { hypothesisOf, premiseOf } from "./inference.ts";

/** CB (Table 14): does a speaker hold something to be true. A row is {premise, hypothesis, label: entailment 0, contradiction 1, neutral 2}. */
export const cb: TaskDefinition = {
  name: "CB",
  metric: "accuracy",
  loss: "candidates",
  devSize: 100,
  autoregressive: {
    prompt: (row) => `Suppose ${premiseOf(row)} Can we infer that "${hypothesisOf(row)}"? Yes, No, or Maybe?\n`,
    options: () => ["Yes", "No", "Maybe"],
  },
  gold: (row) => [labelField(row, ["label"], ["entailment", "contradiction", "neutral"])],
};
