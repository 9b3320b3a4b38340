import type { TaskDefinition } from "../task.ts";
import { itWas, labelField, textField } from "./fields.ts";

const OPTIONS = [" terrible", " bad", " okay", " good", " great"] as const;
const CLASSES = ["very negative", "negative", "neutral", "positive", "very positive"] as const;

/** SST-5 (Table 13): the sentiment of one sentence in five grades. A row is {text or sentence, label 0–4}. */
export const sst5: TaskDefinition = {
  name: "SST-5",
  metric: "accuracy",
  loss: "candidates",
  masked: {
    prompt: (row) => itWas({ text: textField(row, "sentence", ["text", "sentence"]), maxTokens: 110 }),
    options: () => OPTIONS,
  },
  gold: (row) => [labelField(row, ["label"], CLASSES)],
};
