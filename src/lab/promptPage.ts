import type { Prompts } from "../measure/methods.ts";
import { makeExamples } from "../tasks/examples.ts";
import { tasks } from "../tasks/index.ts";
import { readSamples } from "../tasks/load.ts";
import type { Fields } from "../tasks/read/table.ts";
import type { Example, Form, TaskDefinition } from "../tasks/task.ts";
import { MASK, type MaskedPrompt } from "../text/maskedPrompt.ts";

/** A row whose fields hold their own names. */
const row = (...names: readonly string[]): Fields => Object.fromEntries(names.map((name) => [name, `{${name}}`]));

/** The premise of a masked prompt loses its last character, so that this one has one to lose. */
const PAIR: Fields = { ...row("hypothesis"), premise: "{premise}." };

/** Rows that print a task's templates, by the kind of prompt; several where the template depends on the row. */
const TEMPLATE_ROWS: Readonly<Record<Prompts, Readonly<Record<string, readonly Fields[]>>>> = {
  autoregressive: {
    "SST-2": [row("sentence")],
    RTE: [row("premise", "hypothesis")],
    CB: [row("premise", "hypothesis")],
    BoolQ: [row("passage", "question")],
    WSC: [row("text", "span1_text", "span2_text")],
    WIC: [row("word", "sentence1", "sentence2")],
    MultiRC: [row("paragraph", "question", "answer")],
    COPA: ["effect", "cause"].map((question) => ({ ...row("premise", "choice1", "choice2"), question })),
    ReCoRD: [{ ...row("passage"), query: "{start of query} @placeholder {end of query}", entities: ["{entity}"] }],
    SQuAD: [{ ...row("title", "context", "question"), answers: { text: ["{answer}"] } }],
    DROP: [{ ...row("passage", "question"), answers_spans: { spans: ["{answer}"] } }],
  },
  masked: {
    "SST-2": [row("sentence")],
    "SST-5": [row("sentence")],
    SNLI: [PAIR],
    MNLI: [PAIR],
    RTE: [PAIR],
    TREC: [row("text")],
  },
};

const HEADS: Readonly<Record<Prompts, string>> = {
  autoregressive: "For models that continue a text (Table 14)",
  masked: "For models that fill a mask (Table 13)",
};

const LOSSES: Readonly<Record<TaskDefinition["loss"], string>> = {
  candidates: "cross entropy over the answers",
  answer: "cross entropy of the right answer's tokens",
};

/**
 * The prompts of the kit's tasks as a Markdown page, made by the tasks' own code: for each kind of prompt and each task its templates, its
 * answers, how it is trained and scored, and the shortest of the kit's sample rows as the model gets it.
 */
export async function promptPage(): Promise<string> {
  const parts = [await kindText("autoregressive"), await kindText("masked")];
  return `${["# The prompts", INTRODUCTION, ...parts].join("\n\n")}\n`;
}

const INTRODUCTION = `Tables 13 and 14 of the paper as this kit has them: the code in src/tasks, given the names of a row's fields in place of texts, and then a row.
\`npx mezo prompts > notebooks/prompts.md\` makes this page. \`{…}\` is a field, \`␣\` a space where an answer begins, \`⏎\` a line break at the end of a text.`;

async function kindText(kind: Prompts): Promise<string> {
  const rows = TEMPLATE_ROWS[kind];
  const own = tasks.filter(({ name }) => rows[name]);
  const parts = await Promise.all(own.map((task) => taskText(task, kind, rows[task.name]!)));
  return [`## ${HEADS[kind]}`, ...parts].join("\n\n");
}

async function taskText(task: TaskDefinition, kind: Prompts, rows: readonly Fields[]): Promise<string> {
  const templates = rows.map((each): Form<string | MaskedPrompt> => {
    const { prompt, options } = task[kind]!;
    return { prompt: prompt(each), options: options(each) };
  });
  const example = shortest(makeExamples(task, await readSamples(task)).examples, kind);
  const { prompt, options } = example[kind]!;
  return [
    `### ${task.name}`,
    `Scored by ${task.metric}, trained on ${LOSSES[task.loss]}. Answers: ${answersText(templates[0]!.options)}.${limitText(templates[0]!.prompt)}`,
    ...templates.map((template) => block(promptText(template.prompt))),
    `A row, whose right answer is ${answersText(
      example.gold.map((index) => options[index]!),
      " or ",
    )}${othersText(example, options)}:`,
    block(promptText(prompt)),
  ].join("\n\n");
}

/** The answers of an example that the task's template does not name, since each row has its own. */
function othersText({ gold }: Example, options: readonly string[]): string {
  const wrong = options.filter((_, index) => !gold.includes(index));
  return wrong.length > 0 ? ` and not ${answersText(wrong, " or ")}` : "";
}

function shortest(examples: readonly Example[], kind: Prompts): Example {
  const lengthOf = (example: Example): number => promptText(example[kind]!.prompt).length;
  return examples.reduce((best, example) => (lengthOf(example) < lengthOf(best) ? example : best));
}

const promptText = (prompt: string | MaskedPrompt): string =>
  typeof prompt === "string" ? prompt : prompt.parts.map((part) => (part === MASK ? "<mask>" : part.text)).join("");

/** How long a masked prompt may be, and its texts, in tokens; a prompt that a text continues may be as long as its model reads. */
function limitText(prompt: string | MaskedPrompt): string {
  if (typeof prompt === "string") return "";
  const cut = prompt.parts.flatMap((part) => (part === MASK || part.maxTokens === undefined ? [] : [part]));
  const texts = cut.map(({ text, maxTokens }) => `, \`${text.trim()}\` after ${maxTokens}`);
  return ` Cut after ${prompt.maxLength} tokens${texts.join("")}.`;
}

const answersText = (answers: readonly string[], between = ", "): string =>
  answers.map((answer) => `\`${markEnds(answer).replace(/^ /, "␣")}\``).join(between);

const markEnds = (text: string): string => text.replace(/\n$/, "⏎");

const block = (text: string): string => ["```text", markEnds(text), "```"].join("\n");
