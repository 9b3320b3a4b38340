import { strip } from "../../text/strip.ts";
import type { TaskDefinition } from "../task.ts";
import { labelField, textField } from "./fields.ts";
import { itWas } from "./masks.ts";
import { reviewSentences } from "./reviewSentences.ts";

const OPTIONS = [" terrible", " great"] as const;

/**
 * SST-2 (Tables 13 and 14): the sentiment of one sentence. A row is {sentence or text, label or class: 0 negative, 1 positive}, for
 * example `{"sentence": "well-conceived ", "label": 1}`.
 */
export const sst2: TaskDefinition = {
  name: "SST-2",
  metric: "accuracy",
  loss: "candidates",
  autoregressive: {
    prompt: (row) => `${strip(textField(row, "sentence", ["sentence", "text"]))} It was`,
    options: () => OPTIONS,
  },
  masked: {
    prompt: (row) => itWas({ text: textField(row, "sentence", ["sentence", "text"]) }),
    options: () => OPTIONS,
  },
  gold: (row) => [labelField(row, ["label", "class"], ["negative", "positive"])],
  defaultRows: reviewSentences,
};
