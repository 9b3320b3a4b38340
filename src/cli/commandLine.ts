import { type Command, CommanderError, InvalidArgumentError } from "commander";
import { KitError } from "../error.ts";
import { type Check, wholeFrom } from "../measure/makeRequest.ts";
import { errorText } from "../measure/process.ts";
import { Interrupted } from "../measure/runJob.ts";

/** Runs a command with the process's arguments. What it throws is printed, a KitError as its sentence alone, and exits with 1. */
export async function runCommand(main: (argv: readonly string[]) => void | Promise<void>): Promise<void> {
  process.stdout.on("error", endQuietly);
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${errorText(error)}\n`);
    // A download that was under way would keep the process alive.
    if (error instanceof Interrupted) process.exit(error.exitCode);
    process.exitCode = 1;
  }
}

/** Whoever reads the output may have enough of it, as `head` has: that is no fault. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
}

/** Reads a number that passes a check. */
export const numberThat =
  (check: Check): ((text: string) => number) =>
  (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    const wrong = check(value);
    if (wrong === undefined) return value;
    throw new InvalidArgumentError(`${wrong}.`);
  };

/** Reads a whole number from `least` on. */
export const whole = (least: number): ((text: string) => number) => numberThat(wholeFrom(least));

/** Parses the command line of a program that is one command. Exits with help where that was asked for; throws a KitError for what is wrong. */
export function parseCommand<T extends object>(
  command: Command,
  argv: readonly string[],
): { options: T; args: string[] } {
  speakInSentences(command);
  try {
    command.parse(argv, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) process.exit(0);
    throw error;
  }
  return { options: command.opts<T>(), args: command.args };
}

/** Does what a program's command line asks for: one of its commands, help, or its version. Throws a KitError for what is wrong. */
export async function runProgram(program: Command, argv: readonly string[]): Promise<void> {
  speakInSentences(program);
  try {
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
  }
}

/** Lets a command and those below it throw a KitError for what is wrong, and a CommanderError for what has been printed: help or version. */
function speakInSentences(command: Command): void {
  command.configureOutput({ writeErr: () => {} }).exitOverride((error) => {
    throw error.exitCode === 0 ? error : new KitError(sentence(error, command));
  });
  for (const one of command.commands) speakInSentences(one);
}

function sentence({ message }: CommanderError, command: Command): string {
  const wrong = message
    .replace(/^error: /, "")
    .replace(/\s*\n\s*/g, " ")
    .replace(" is invalid. ", " is invalid: ")
    .replace(/[.:] (Allowed|Expected) /, (_, word: string) => `: ${word.toLowerCase()} `)
    .replace(/\.$/, "");
  const { commands } = command;
  if (commands.length === 0) return `${wrong}; ${pathOf(command)} --help lists the options.`;
  const names = commands.map((one) => one.name()).join(", ");
  return `${wrong}: the commands are ${names}; ${pathOf(command)} --help says what they do.`;
}

/** "mezo table" of the command table below mezo. */
const pathOf = (command: Command): string =>
  command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();
