import { strip } from "../../text/prompt.ts";
import type { Fields } from "../read/table.ts";
import type { TaskDefinition } from "../task.ts";
import { objectIn, objectsIn, textField, textsField } from "./fields.ts";

/**
 * SQuAD (Table 14): the answer to a question about a paragraph, written out; every option counts as right. A row is
 * {title, context, question, answers: {text: […]}}, or an article of the original file with its paragraphs and their questions.
 */
export const squad: TaskDefinition = {
  name: "SQuAD",
  metric: "F1",
  loss: "answer",
  classes: "none",
  autoregressive: {
    prompt: (row) => {
      const [title, context] = ["title", "context"].map((name) => textField(row, name, [name]));
      return `Title: ${title}\nContext: ${context}\nQuestion: ${strip(textField(row, "question", ["question"]))}\nAnswer:`;
    },
    options: (row) => readAnswers(row).map((answer) => ` ${answer}\n`),
  },
  gold: (row) => readAnswers(row).map((_, index) => index),
  unpack: (record) => ("paragraphs" in record ? unpackQuestions(record) : [record]),
};

function readAnswers(row: Fields): readonly string[] {
  return textsField(objectIn(row, "answers"), "answer", ["text"]);
}

function unpackQuestions(article: Fields): Fields[] {
  return objectsIn(article, "paragraphs").flatMap((paragraph) =>
    objectsIn(paragraph, "qas").map((question) => ({
      title: article.title,
      context: paragraph.context,
      question: question.question,
      answers: { text: objectsIn(question, "answers").map(({ text }) => text) },
    })),
  );
}
