import { Command } from "commander";
import { KIT_VERSION } from "../experiment/header.ts";
import { runProgram } from "./commandLine.ts";

/** The commands, the main one first; the code of one is loaded when it is asked for, so that those that write texts hold little beside the model. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  table: async () => (await import("./table.ts")).makeTableCommand(),
  tune: async () => (await import("./tune.ts")).makeTuneCommand(),
  worker: async () => (await import("./worker.ts")).makeWorkerCommand(),
  classify: async () => (await import("./classify.ts")).makeClassifyCommand(),
  replay: async () => (await import("./runs.ts")).makeReplayCommand(),
  diff: async () => (await import("./runs.ts")).makeDiffCommand(),
  compact: async () => (await import("./runs.ts")).makeCompactCommand(),
  report: async () => (await import("./runs.ts")).makeReportCommand(),
  generate: async () => (await import("./generate.ts")).makeGenerateCommand(),
  chat: async () => (await import("./chat.ts")).makeChatCommand(),
  inspect: async () => (await import("./inspect.ts")).makeInspectCommand(),
  show: async () => (await import("./show.ts")).makeShowCommand(),
  prompts: async () => (await import("./show.ts")).makePromptsCommand(),
  memory: async () => (await import("./memory.ts")).makeMemoryCommand(),
  doctor: async () => (await import("./doctor.ts")).makeDoctorCommand(),
  "gpu-link": async () => (await import("./gpuLink.ts")).makeLinkCommand(),
  backends: async () => (await import("./backends.ts")).makeBackendsCommand(),
};

/** The command line with one of its commands, or with all where none is named; its help has that of its main command too. */
async function makeProgram(named: string): Promise<Command> {
  const main = new Command("mezo")
    .description("Fine-tunes language models with just forward passes. Without a command it does what mezo table does.")
    .version(KIT_VERSION, "--version", "print the version");
  const wanted = Object.hasOwn(COMMANDS, named) ? [named] : Object.keys(COMMANDS);
  for (const name of wanted) main.addCommand(await COMMANDS[name]!());
  return main.addHelpText("after", () => `\n${helpOf(main.commands[0]!)}`);
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
export async function mezo(argv: readonly string[]): Promise<void> {
  const asked = withCommand(argv);
  await runProgram(await makeProgram(asked[0]!), asked);
}
