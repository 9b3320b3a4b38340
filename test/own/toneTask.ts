import { labelField, MASK, type TaskDefinition, textField } from "../../src/index.ts";

const OPTIONS = [" dull", " fine"] as const;

/** A task as somebody outside the kit writes it, in one file, with what the kit exports: whether a line about a work praises it. */
export const tone: TaskDefinition = {
  name: "Tone",
  metric: "accuracy",
  loss: "candidates",
  autoregressive: {
    prompt: (row) => `${textField(row, "line", ["line"])} It was`,
    options: () => OPTIONS,
  },
  masked: {
    prompt: (row) => ({
      parts: [{ text: textField(row, "line", ["line"]) }, { text: " It was" }, MASK],
      maxLength: 32,
    }),
    options: () => OPTIONS,
  },
  gold: (row) => [labelField(row, ["tone"], ["bad", "good"])],
};
