import { KitError, showValue } from "../../error.ts";
import type { Fields } from "../read/table.ts";
import type { TaskDefinition } from "../task.ts";
import { objectIn, objectsIn, textField, textsField } from "./fields.ts";

/**
 * ReCoRD (Table 14): which entity of a news text belongs at a query's @placeholder; one example per query. A row is {passage, query,
 * entities, answers}, or a passage of the original file or SuperGLUE's with the places of its entities and its queries.
 */
export const record: TaskDefinition = {
  name: "ReCoRD",
  metric: "accuracy",
  loss: "answer",
  classes: "none",
  autoregressive: {
    prompt: (row) => `${textField(row, "passage", ["passage"]).replaceAll("@highlight\n", "- ")}\n-`,
    options: (row) => {
      const query = textField(row, "query", ["query"]);
      return textsField(row, "entities", ["entities"]).map(
        (name) => ` ${query.replaceAll("@placeholder", () => name)}`,
      );
    },
    contentFree: () => "-",
  },
  gold: (row) => {
    const entities = textsField(row, "entities", ["entities"]);
    const answers = textsField(row, "answers", ["answers"]);
    const right = answers.map((answer) => entities.indexOf(answer)).filter((index) => index >= 0);
    if (right.length > 0) return right;
    throw new KitError(`none of the answers ${showValue(answers)} is among the entities; correct the row or drop it.`);
  },
  unpack: (file) => (Array.isArray(file.qas) ? unpackQueries(file) : [file]),
};

function unpackQueries(file: Fields): Fields[] {
  const passage = objectIn(file, "passage");
  // `start` and `end` count code points, and `end` is included.
  const characters = [...String(passage.text)];
  const named = objectsIn(passage, "entities").map(({ start, end }) =>
    characters.slice(Number(start), Number(end) + 1).join(""),
  );
  return objectsIn(file, "qas").map((question) => {
    const answers = objectsIn(question, "answers").map(({ text }) => String(text));
    return {
      passage: passage.text,
      query: question.query,
      entities: sortDistinct(named),
      answers: sortDistinct(answers),
    };
  });
}

/** Each text once, in the order of the Hugging Face copy. */
function sortDistinct(texts: readonly string[]): string[] {
  return [...new Set(texts)].sort();
}
