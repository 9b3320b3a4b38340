import { KitError, showValue } from "../../error.ts";
import { rightStrip } from "../../text/prompt.ts";
import type { Fields } from "../read/table.ts";
import type { TaskDefinition } from "../task.ts";
import { labelField, textField } from "./fields.ts";

const CONJUNCTIONS: Readonly<Record<string, string>> = { effect: "so", cause: "because" };

/** COPA (Table 14): the likelier cause or effect of a premise. A row is {premise, question cause or effect, choice1, choice2, label 0 or 1}. */
export const copa: TaskDefinition = {
  name: "COPA",
  metric: "accuracy",
  loss: "answer",
  devSize: 100,
  autoregressive: {
    prompt: (row) => `${rightStrip(textField(row, "premise", ["premise"])).replace(/\.$/, "")} ${findConjunction(row)}`,
    options: (row) => ["choice1", "choice2"].map((name) => ` ${uncapitalize(textField(row, name, [name]))}`),
    contentFree: findConjunction,
  },
  gold: (row) => [labelField(row, ["label"], ["choice1", "choice2"])],
};

function findConjunction(row: Fields): string {
  const question = textField(row, "question", ["question"]);
  const word = Object.hasOwn(CONJUNCTIONS, question) ? CONJUNCTIONS[question] : undefined;
  if (word) return word;
  throw new KitError(`the question is ${showValue(question)}, neither "cause" nor "effect"; correct it.`);
}

/** The text with its first word in lower case, unless that is "I". */
function uncapitalize(text: string): string {
  const [first = "", ...rest] = text.split(" ");
  return [first === "I" ? first : first.toLowerCase(), ...rest].join(" ");
}
