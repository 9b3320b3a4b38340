import { strip } from "../../text/prompt.ts";
import type { Fields } from "../read/table.ts";
import type { TaskDefinition } from "../task.ts";
import { objectIn, objectsIn, textField, textsField } from "./fields.ts";

/**
 * DROP (Table 14): the answer to a question about a passage, written out; every option counts as right. A row is
 * {passage, question, answers_spans: {spans: […]}}, a passage of the original file with its questions, or {context, ref_text}
 * with the whole prompt in one text and the right answers joined by bars. Where a question of the original file has validated answers (in
 * the dev file), only these count, as in the copy that the authors used.
 */
export const drop: TaskDefinition = {
  name: "DROP",
  metric: "F1",
  loss: "answer",
  classes: "none",
  autoregressive: {
    prompt: (row) =>
      `Passage: ${textField(row, "passage", ["passage"])}\nQuestion: ${strip(textField(row, "question", ["question"]))}\nAnswer:`,
    options: (row) => readSpans(row).map((span) => ` ${span}\n`),
  },
  gold: (row) => readSpans(row).map((_, index) => index),
  unpack: (record) => {
    if ("qa_pairs" in record) return unpackQuestions(record);
    return typeof record.context === "string" && typeof record.ref_text === "string" ? [splitPrompt(record)] : [record];
  },
};

function readSpans(row: Fields): readonly string[] {
  return [...new Set(textsField(objectIn(row, "answers_spans"), "answer", ["spans"]))];
}

function unpackQuestions(passage: Fields): Fields[] {
  return objectsIn(passage, "qa_pairs").map((pair) => {
    const validated = objectsIn(pair, "validated_answers");
    const answers = validated.length > 0 ? validated : [objectIn(pair, "answer")];
    return { passage: passage.passage, question: pair.question, answers_spans: { spans: answers.flatMap(readAnswer) } };
  });
}

/** An answer of the original file is a number, some spans, or a date. */
function readAnswer(answer: Fields): string[] {
  if (answer.number !== undefined && answer.number !== "") return [String(answer.number)];
  if (Array.isArray(answer.spans) && answer.spans.length > 0) return answer.spans.map(String);
  const date = objectIn(answer, "date");
  const text = [date.day, date.month, date.year].filter(Boolean).join(" ");
  return text === "" ? [] : [text];
}

function splitPrompt({ context, ref_text }: Fields): Fields {
  const [, passage, question] = /^Passage: (.*)\nQuestion: (.*)\nAnswer:\s*$/s.exec(String(context)) ?? [];
  return { passage, question, answers_spans: { spans: String(ref_text).split("|") } };
}
