import { Command } from "commander";
import { KIT_VERSION } from "../experiment/header.ts";
import { listingBackends } from "./backends.ts";
import { perform } from "./commandLine.ts";
import "../lab/index.ts"; // defines its tuners
import { diagnosing } from "./doctor.ts";
import { compacting, diffing, replaying } from "./runs.ts";
import { measuring } from "./table.ts";

/** The command line; its help has that of its main command too. */
function program(): Command {
  const main = new Command("mezo")
    .description("Fine-tunes language models with just forward passes. Without a command it does what mezo table does.")
    .version(KIT_VERSION, "--version", "print the version");
  for (const make of [measuring, replaying, diffing, compacting, diagnosing, listingBackends]) main.addCommand(make());
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
export const mezo = (argv: readonly string[]): Promise<void> => perform(program(), withCommand(argv));
