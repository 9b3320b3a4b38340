import { Command } from "commander";
import { KIT_VERSION } from "../experiment/header.ts";
import { makeBackendsCommand } from "./backends.ts";
import { runProgram } from "./commandLine.ts";
import "../lab/index.ts"; // defines its tuners
import { makeChatCommand } from "./chat.ts";
import { makeClassifyCommand } from "./classify.ts";
import { makeDoctorCommand } from "./doctor.ts";
import { makeGenerateCommand } from "./generate.ts";
import { makeInspectCommand } from "./inspect.ts";
import { makeCompactCommand, makeDiffCommand, makeReplayCommand, makeReportCommand } from "./runs.ts";
import { makeShowCommand } from "./show.ts";
import { makeTableCommand } from "./table.ts";
import { makeTuneCommand } from "./tune.ts";

const COMMANDS = [
  makeTableCommand,
  makeTuneCommand,
  makeClassifyCommand,
  makeReplayCommand,
  makeDiffCommand,
  makeCompactCommand,
  makeReportCommand,
  makeGenerateCommand,
  makeChatCommand,
  makeInspectCommand,
  makeShowCommand,
  makeDoctorCommand,
  makeBackendsCommand,
];

/** The command line; its help has that of its main command too. */
function makeProgram(): Command {
  const main = new Command("mezo")
    .description("Fine-tunes language models with just forward passes. Without a command it does what mezo table does.")
    .version(KIT_VERSION, "--version", "print the version");
  for (const make of COMMANDS) main.addCommand(make());
  const table = main.commands[0]!;
  return main.addHelpText("after", () => `\n${helpOf(table)}`);
}

/** All of a command's help, its examples too. */
function helpOf(command: Command): string {
  const parts: string[] = [];
  command.configureOutput({ writeOut: (part) => void parts.push(part) }).outputHelp();
  return parts.join("").trimEnd();
}

/** Options that stand alone are those of the main command. */
function withCommand(argv: readonly string[]): readonly string[] {
  const [first = "--"] = argv;
  return first.startsWith("-") && !["-h", "--help", "--version"].includes(first) ? ["table", ...argv] : argv;
}

/** Does what a command line asks for. Throws a KitError for what is wrong with it, and what the command throws. */
export const mezo = (argv: readonly string[]): Promise<void> => runProgram(makeProgram(), withCommand(argv));
