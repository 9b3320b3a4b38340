import type { TaskDefinition } from "../task.ts";
import { labelField } from "./fields.ts";
import { hypothesisOf, premiseOf } from "./inference.ts";
import { entails } from "./masks.ts";

/** RTE (Tables 13 and 14): does one text follow from another. A row is {premise or sentence1, hypothesis or sentence2, label: entailment 0, not_entailment 1}. */
export const rte: TaskDefinition = {
  name: "RTE",
  metric: "accuracy",
  loss: "candidates",
  autoregressive: {
    prompt: (row) => `${premiseOf(row)}\nDoes this mean that "${hypothesisOf(row)}" is true? Yes or No?\n`,
    options: () => ["Yes", "No"],
  },
  masked: {
    prompt: (row) => entails(premiseOf(row), hypothesisOf(row), 240),
    options: () => [" Yes", " No"],
  },
  gold: (row) => [labelField(row, ["label"], ["entailment", "not_entailment"])],
};
