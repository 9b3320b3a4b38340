import { Command, Option } from "commander";
import { promptPage } from "../lab/promptPage.ts";
import { type RowChoice, type RowView, type ScoredToken, type ShownToken, viewRow } from "../lab/rowView.ts";
import { choices, defaults } from "../measure/makeRequest.ts";
import { terminalProgress } from "../report/progress.ts";
import { type Column, toTerminal } from "../report/table.ts";
import { whole } from "./commandLine.ts";
import { addData, addMachine } from "./options.ts";
import { loadSubject, type SubjectOptions } from "./subject.ts";

const EXAMPLES = `
Examples:
  npx mezo show --task SST-2 --row 3                     the third test row, on the bundled OPT
  npx mezo show --task SST-2 --part train --row 1 --shots 2
  npx mezo show --model roberta-reviews --task TREC`;

interface ShowRequest extends SubjectOptions, RowChoice {
  readonly all: boolean;
  readonly json: boolean;
}

/** The command that shows one row as the model sees it. */
export function makeShowCommand(): Command {
  const parser = new Command("show")
    .description(
      "Shows one row of a task as the model sees it: its tokens and their ids, where options are scored, the log-probability of each of their tokens, and what the model chooses.",
    )
    .summary("shows a row of a task as the model sees it: tokens, ids, log-probabilities");
  addData(parser);
  parser
    .optionsGroup("The row:")
    .option("--row <n>", "which row of the part, from 1", whole(1), 1)
    .addOption(new Option("--part <name>", "of the task's rows").choices(["train", "dev", "test"]).default("test"))
    .option("--shots <n>", "demonstrations before it, as mezo table's ICL has them", whole(0), 0)
    .option("--seed <n>", "draws the split and the demonstrations", whole(0), 1)
    .addOption(
      new Option("--begin <token>", "begin token: 0 as the paper's code, or the config's")
        .choices(choices.begin)
        .default(defaults.begin),
    );
  addMachine(parser);
  return parser
    .optionsGroup("Output:")
    .option("--all", "every token of a long prompt", false)
    .option("--json", "as JSON, with all tokens", false)
    .addHelpText("after", EXAMPLES)
    .action(show);
}

/** The command that prints the prompts of all tasks. */
export const makePromptsCommand = (): Command =>
  new Command("prompts")
    .description(
      "Prints the prompts of all tasks as a Markdown page, made by their own code: templates, answers, and a row of each.",
    )
    .summary("prints the prompts of all tasks: templates, answers, a row of each")
    .addHelpText("after", "\nExamples:\n  npx mezo prompts > prompts.md")
    .action(async () => {
      process.stdout.write(await promptPage());
    });

async function show(options: ShowRequest): Promise<void> {
  const progress = terminalProgress();
  try {
    const { model, task } = await loadSubject("show", options, progress.report);
    try {
      const { part, row, shots, seed, begin } = options;
      const view = await viewRow(model, task, { part, row, shots, seed, begin });
      progress.stop();
      process.stdout.write(`${options.json ? JSON.stringify(view, null, 2) : rowText(view, options.all)}\n`);
    } finally {
      model.dispose();
    }
  } finally {
    progress.stop();
  }
}

/** The row in words and tables. */
function rowText(view: RowView, all: boolean): string {
  const { task, part, row, rows, model, products, prompt, mask } = view;
  const head = `${task}, ${part} row ${row} of ${rows.toLocaleString("en")}, put to ${model}: ${prompt.length} tokens${mask === undefined ? "" : `, the mask at position ${mask}`}`;
  return [
    head,
    `Computed with products ${products}.`,
    "",
    tokensText(prompt, all),
    "",
    optionsText(view),
    endText(view),
  ].join("\n");
}

const LINE = 110;
const SHOWN = 80;

/** "position text:id" of the tokens, as many in a line as fit; of a long prompt its two ends. */
function tokensText(tokens: readonly ShownToken[], all: boolean): string {
  const cells = tokens.map(({ id, text }, i) => `${i}\u00a0${JSON.stringify(text)}\u00a0${id}`);
  if (all || cells.length <= SHOWN) return wrap(cells);
  const [half, left] = [SHOWN / 2, cells.length - SHOWN];
  return [wrap(cells.slice(0, half)), `… ${left} more tokens (--all shows them) …`, wrap(cells.slice(-half))].join(
    "\n",
  );
}

function wrap(cells: readonly string[]): string {
  const lines: string[] = [];
  for (const cell of cells) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 2 + cell.length <= LINE) lines[lines.length - 1] = `${last}  ${cell}`;
    else lines.push(cell);
  }
  return lines.join("\n").replaceAll("\u00a0", " ");
}

const COLUMNS: readonly Column[] = [
  { name: "option", align: "left", width: 24 },
  { name: "", align: "left" },
  { name: "tokens: position, text, id, log-probability", align: "left" },
  { name: "mean", align: "right" },
];

function optionsText({ options, chosen }: RowView): string {
  const rows = options.map(({ text, tokens, mean, isGold }, i) => {
    const marks = [isGold && "right", i === chosen && "chosen"].filter(Boolean).join(", ");
    return [JSON.stringify(text), marks, tokens.map(scoredText).join("\n"), mean.toFixed(4)];
  });
  return toTerminal({ columns: COLUMNS, rows }, true);
}

const scoredText = ({ position, text, id, logProb }: ScoredToken): string =>
  `${position} ${JSON.stringify(text)} ${id} ${logProb.toFixed(4)}`;

function endText({ chosen, answer, options, mask }: RowView): string {
  if (chosen === undefined)
    return `Answers are written out here; the model writes ${JSON.stringify(answer)}, which is scored by token F1.`;
  const right = options[chosen]!.isGold ? "right" : "wrong";
  const by =
    mask === undefined ? "the highest mean log-probability a token" : "the highest log-probability at the mask";
  return `The model chooses ${JSON.stringify(options[chosen]!.text)}, by ${by}: ${right}.`;
}
