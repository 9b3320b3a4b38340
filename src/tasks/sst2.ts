import { strip } from "../text/strip.ts";
import { labelField, textField } from "./fields.ts";
import { reviewSentences } from "./reviewSentences.ts";
import type { Fields } from "./rows.ts";
import type { TaskDefinition } from "./task.ts";

const LABELS = [" terrible", " great"] as const;

/**
 * SST-2 (Table 14): the sentiment of one sentence. A row is {sentence or text, label or class 0/1}, for example
 * `{"sentence": "well-conceived ", "label": 1}`.
 */
export const sst2: TaskDefinition = {
  name: "SST-2",
  prompt: (row: Fields) => `${strip(textField(row, "sentence", ["sentence", "text"]))} It was`,
  options: () => LABELS,
  gold: (row: Fields) => labelField(row, ["label", "class"], LABELS),
  defaultRows: reviewSentences,
};
