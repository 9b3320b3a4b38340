import { MASK } from "../../text/maskedPrompt.ts";
import type { Fields } from "../read/table.ts";
import type { TaskDefinition } from "../task.ts";
import { labelField, textField } from "./fields.ts";

const OPTIONS = [" Description", " Entity", " Expression", " Human", " Location", " Number"] as const;
const CLASSES = ["DESC", "ENTY", "ABBR", "HUM", "LOC", "NUM"] as const;
/** The order in which the Hugging Face copy numbers its `coarse_label`. */
const HUB_CLASSES = ["ABBR", "ENTY", "DESC", "HUM", "LOC", "NUM"] as const;

/**
 * TREC (Table 13): what a question asks for. A row is {text or sentence, label 0–5 in the order description, entity, abbreviation,
 * human, location, number, or DESC to NUM, possibly with a finer class after a colon}, or has the Hugging Face copy's coarse_label.
 */
export const trec: TaskDefinition = {
  name: "TREC",
  metric: "accuracy",
  loss: "candidates",
  masked: {
    prompt: (row) => {
      const text = ` ${textField(row, "question", ["text", "sentence"])}`;
      return { parts: [MASK, { text: ":" }, { text, maxTokens: 110 }], maxLength: 128 };
    },
    options: () => OPTIONS,
  },
  gold: (row) => [readClass(row)],
};

function readClass(row: Fields): number {
  if (row.label === undefined && row.coarse_label !== undefined)
    return CLASSES.indexOf(HUB_CLASSES[labelField(row, ["coarse_label"], HUB_CLASSES)]!);
  const coarse = typeof row.label === "string" ? { ...row, label: row.label.replace(/:.*/s, "") } : row;
  return labelField(coarse, ["label"], CLASSES);
}
