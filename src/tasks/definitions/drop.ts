import { strip } from "../../text/whitespace.ts";
import type { Fields } from "../read/table.ts";
import type { TaskDefinition } from "../task.ts";
import { objectIn, objectsIn, textField, textsField } from "./fields.ts";

/**
 * DROP (Table 14): the answer to a question about a passage, written out; the options are all that count as right. A row is
 * {passage, question, answers_spans: {spans: […]}}, a passage of the original file with its questions, or {context, ref_text}
 * with all of the prompt in one text and the right answers joined by bars. Of the original file's answers the validated ones count, where a
 * question has such (those of the dev file), as in the copy that the authors used.
 */
export const drop: TaskDefinition = {
  name: "DROP",
  metric: "F1",
  loss: "answer",
  classes: "none",
  autoregressive: {
    prompt: (row) =>
      `Passage: ${textField(row, "passage", ["passage"])}\nQuestion: ${strip(textField(row, "question", ["question"]))}\nAnswer:`,
    options: (row) => spansOf(row).map((span) => ` ${span}\n`),
  },
  gold: (row) => spansOf(row).map((_, index) => index),
  rowsOf: (record) => {
    if ("qa_pairs" in record) return questionsIn(record);
    return typeof record.context === "string" && typeof record.ref_text === "string" ? [unjoined(record)] : [record];
  },
};

function spansOf(row: Fields): readonly string[] {
  return [...new Set(textsField(objectIn(row, "answers_spans"), "answer", ["spans"]))];
}

function questionsIn(passage: Fields): Fields[] {
  return objectsIn(passage, "qa_pairs").map((pair) => {
    const validated = objectsIn(pair, "validated_answers");
    const answers = validated.length > 0 ? validated : [objectIn(pair, "answer")];
    return { passage: passage.passage, question: pair.question, answers_spans: { spans: answers.flatMap(spansIn) } };
  });
}

/** An answer of the original file is a number, some spans, or a date. */
function spansIn(answer: Fields): string[] {
  if (answer.number !== undefined && answer.number !== "") return [String(answer.number)];
  if (Array.isArray(answer.spans) && answer.spans.length > 0) return answer.spans.map(String);
  const date = objectIn(answer, "date");
  const text = [date.day, date.month, date.year].filter(Boolean).join(" ");
  return text === "" ? [] : [text];
}

function unjoined({ context, ref_text }: Fields): Fields {
  const [, passage, question] = /^Passage: (.*)\nQuestion: (.*)\nAnswer:\s*$/s.exec(String(context)) ?? [];
  return { passage, question, answers_spans: { spans: String(ref_text).split("|") } };
}
