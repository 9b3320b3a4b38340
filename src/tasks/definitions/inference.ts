import type { Fields } from "../read/table.ts";
import type { TaskDefinition } from "../task.ts";
import { entails, labelField, textField } from "./fields.ts";

const OPTIONS = [" Yes", " Maybe", " No"] as const;
const CLASSES = ["entailment", "neutral", "contradiction"] as const;
const LABEL = ["gold_label", "label"] as const;

/** The premise of a row, under its name in SuperGLUE or GLUE. */
export function readPremise(row: Fields): string {
  return textField(row, "premise", ["premise", "sentence1"]);
}

/** The hypothesis of a row, under its name in SuperGLUE or GLUE. */
export function readHypothesis(row: Fields): string {
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
      prompt: (row) => entails(readPremise(row), readHypothesis(row), maxTokens),
      options: () => OPTIONS,
    },
    gold: (row) => [labelField(row, LABEL, CLASSES)],
  };
}

/** MNLI (Table 13): inference between sentences of many kinds; rows as in `inference`. In a folder the matched part is the test set. */
export const mnli: TaskDefinition = inference("MNLI", 240);

/** SNLI (Table 13): inference between descriptions of pictures; rows as in `inference`. */
export const snli: TaskDefinition = inference("SNLI");

/** RTE (Tables 13 and 14): does one text follow from another. A row is {premise or sentence1, hypothesis or sentence2, label: entailment 0, not_entailment 1}. */
export const rte: TaskDefinition = {
  name: "RTE",
  metric: "accuracy",
  loss: "candidates",
  autoregressive: {
    prompt: (row) => `${readPremise(row)}\nDoes this mean that "${readHypothesis(row)}" is true? Yes or No?\n`,
    options: () => ["Yes", "No"],
    contentFree: () => "",
  },
  masked: {
    prompt: (row) => entails(readPremise(row), readHypothesis(row), 240),
    options: () => [" Yes", " No"],
  },
  gold: (row) => [labelField(row, ["label"], ["entailment", "not_entailment"])],
};

/** CB (Table 14): does a speaker hold something to be true. A row is {premise, hypothesis, label: entailment 0, contradiction 1, neutral 2}. */
export const cb: TaskDefinition = {
  name: "CB",
  metric: "accuracy",
  loss: "candidates",
  devSize: 100,
  autoregressive: {
    prompt: (row) => `Suppose ${readPremise(row)} Can we infer that "${readHypothesis(row)}"? Yes, No, or Maybe?\n`,
    options: () => ["Yes", "No", "Maybe"],
    contentFree: () => "",
  },
  gold: (row) => [labelField(row, ["label"], ["entailment", "contradiction", "neutral"])],
};
