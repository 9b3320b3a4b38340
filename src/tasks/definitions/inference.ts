import type { Fields } from "../read/rows.ts";
import type { TaskDefinition } from "../task.ts";
import { labelField, textField } from "./fields.ts";
import { entails } from "./masks.ts";

const OPTIONS = [" Yes", " Maybe", " No"] as const;
const CLASSES = ["entailment", "neutral", "contradiction"] as const;
const LABEL = ["gold_label", "label"] as const;

/** The premise of a row, under its name in SuperGLUE or GLUE. */
export function premiseOf(row: Fields): string {
  return textField(row, "premise", ["premise", "sentence1"]);
}

/** The hypothesis of a row, under its name in SuperGLUE or GLUE. */
export function hypothesisOf(row: Fields): string {
  return textField(row, "hypothesis", ["hypothesis", "sentence2"]);
}

/**
 * Three-way inference between two sentences (Table 13), the premise cut after `maxTokens`. A row is {premise or sentence1, hypothesis
 * or sentence2, gold_label or label: entailment 0, neutral 1, contradiction 2; −1 or "-" where annotators did not agree}.
 */
export function inference(name: string, maxTokens?: number): TaskDefinition {
  return {
    name,
    metric: "accuracy",
    loss: "candidates",
    masked: {
      prompt: (row) => entails(premiseOf(row), hypothesisOf(row), maxTokens),
      options: () => OPTIONS,
    },
    gold: (row) => [labelField(row, LABEL, CLASSES)],
  };
}
