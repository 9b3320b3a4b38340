import type { Fields } from "../read/table.ts";
import type { TaskDefinition } from "../task.ts";
import { anyTextField, labelField, objectIn, objectsIn, textField } from "./fields.ts";

/**
 * MultiRC (Table 14): is an answer to a question about a paragraph correct; one example per answer. A row is {paragraph, question,
 * answer, label}, or a passage of SuperGLUE's with its questions and their answers.
 */
export const multirc: TaskDefinition = {
  name: "MultiRC",
  metric: "accuracy",
  loss: "candidates",
  autoregressive: {
    prompt: (row) => {
      const [paragraph, question] = ["paragraph", "question"].map((name) => textField(row, name, [name]));
      // One answer of the train file is empty.
      const answer = anyTextField(row, "answer");
      return `${paragraph}\nQuestion: ${question}\nI found this answer "${answer}". Is that correct? Yes or No?\n`;
    },
    options: () => ["No", "Yes"],
    contentFree: () => "",
  },
  gold: (row) => [labelField(row, ["label"], ["false", "true"])],
  unpack: (record) => ("passage" in record ? unpackAnswers(objectIn(record, "passage")) : [record]),
};

function unpackAnswers(passage: Fields): Fields[] {
  return objectsIn(passage, "questions").flatMap((question) =>
    objectsIn(question, "answers").map(({ text, label }) => ({
      paragraph: passage.text,
      question: question.question,
      answer: text,
      label,
    })),
  );
}
