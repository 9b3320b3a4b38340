import type { TaskDefinition } from "../task.ts";
import { labelField, textField } from "./fields.ts";

/** WiC (Table 14): does a word mean the same in two sentences. A row is {word, sentence1, sentence2, label}. */
export const wic: TaskDefinition = {
  name: "WIC",
  metric: "accuracy",
  loss: "candidates",
  autoregressive: {
    prompt: (row) => {
      const [word, first, second] = ["word", "sentence1", "sentence2"].map((name) => textField(row, name, [name]));
      return `Does the word "${word}" have the same meaning in these two sentences? Yes, No?\n${first}\n${second}\n`;
    },
    options: () => ["No", "Yes"],
    contentFree: () => "",
  },
  gold: (row) => [labelField(row, ["label"], ["false", "true"])],
};
