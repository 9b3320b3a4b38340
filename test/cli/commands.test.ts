import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { mezo } from "../../src/cli/program.ts";
import { KitError } from "../../src/error.ts";
import { command, folder } from "./mezo.ts";

const COMMANDS = [
  ...["table", "tune", "classify", "replay", "diff", "compact", "report", "generate", "chat"],
  ...["inspect", "show", "prompts", "memory", "doctor", "backends", "gpu-link"],
];

/** Runs the command line in a folder of its own, as it is typed. */
const typed = (...args: string[]): ReturnType<typeof command> => command("main", args);

/** A file with a line that no run begins with. */
function noRun(): string {
  const file = join(folder(), "no-run.jsonl");
  writeFileSync(file, "sentence,label\n");
  return file;
}

describe("the command line's help", () => {
  test("lists every command, the options of the main one, and examples", () => {
    const { status, stdout, stderr } = typed("--help");
    expect(stderr).toBe("");
    expect(status).toBe(0);
    for (const name of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${name}\\b.+\\w`, "m"));
    const options = [
      "--model",
      "--task",
      "--data",
      "--method",
      "--steps",
      "--seeds",
      "--backend",
      "--threads",
      "--weights",
    ];
    for (const option of [...options, "--resume", "--smoke"]) expect(stdout).toContain(`  ${option} `);
    expect(stdout).toContain("npm start -- --smoke");
  });

  test.each(COMMANDS)("of %s says how it is called, what it does, and gives an example", (name) => {
    const { status, stdout, stderr } = typed(name, "--help");
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout).toMatch(new RegExp(`^Usage: mezo ${name}.*\n\n[A-Z][^]+\\.\n`));
    expect(stdout).toMatch(/^Examples?:\n {2}np[mx] /m);
    expect(typed("help", name).stdout).toBe(stdout);
  });

  test("is that of the main command where one of its options stands before it", () => {
    expect(typed("--smoke", "--help").stdout).toBe(typed("table", "--help").stdout);
  });
});

test("the version is that of package.json", () => {
  expect(typed("--version")).toMatchObject({ status: 0, stdout: "0.1.0\n", stderr: "" });
});

describe("a mistake is answered in one sentence with exit code 1:", () => {
  test.each<[string, string[], RegExp]>([
    [
      "a command with a slip",
      ["tabel"],
      /unknown command 'tabel' \(Did you mean table\?\).*table, .*replay, diff, compact/,
    ],
    ["a command that is none", ["train"], /unknown command 'train': the commands are table, .*backends; mezo --help/],
    ["a file where a command stands", ["reviews.csv"], /unknown command 'reviews\.csv'/],
    ["an option with a slip", ["--stepz", "3"], /'--stepz' \(Did you mean --steps\?\); mezo table --help/],
    ["an option of another command", ["diff", "--model", "x"], /unknown option '--model'.*mezo diff --help/],
    ["an option without its value", ["--steps"], /'--steps <n>' argument missing; mezo table --help/],
    ["an option whose value is the next option", ["--data", "--smoke"], /--smoke/],
    ["a number that is none", ["--lr", "fast"], /'fast' is invalid: it must be a number of at least 0; mezo table/],
    ["an unknown word of a choice", ["--noise", "laplace"], /is invalid: allowed choices are gaussian, rademacher/],
    ["a word after the options", ["--smoke", "reviews.csv"], /too many arguments.*expected 0 arguments but got 1/],
    ["a word too many", ["backends", "native"], /too many arguments.*mezo backends --help/],
    ["a run that is not named", ["replay"], /missing required argument 'run'; mezo replay --help/],
    ["a run that is not there", ["replay", "nowhere.jsonl"], /nowhere\.jsonl/],
    ["a run that is none", ["compact", noRun(), "run.mezo"], /no-run\.jsonl/],
    ["a folder instead of a run", ["diff", ".", "."], /EISDIR|a folder/],
    ["a place that cannot be written", ["doctor", "--figures", join(noRun(), "figures")], /written to \(ENOTDIR\)/],
    ["a step that is no number", ["replay", "run.jsonl", "--step", "last"], /must be a number of steps, or "best"/],
    ["an unknown task", ["doctor", "--task", "SST-9"], /no task "SST-9"/],
    ["a missing model", ["--model", "no/such/model/folder"], /no\/such\/model\/folder/],
  ])("%s", async (_what, args, message) => {
    const error = await mezo(args).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(error).toBeInstanceOf(KitError);
    expect((error as KitError).message).toMatch(message);
    expect((error as KitError).message).toMatch(/^(?!error:)[^\n]*[.?]$/);
  });

  test("and nothing is written to the standard output", () => {
    const { status, stdout, stderr } = typed("tabel");
    expect(stderr.trimEnd().split("\n")).toEqual([expect.stringContaining("unknown command 'tabel'")]);
    expect(stdout).toBe("");
    expect(status).toBe(1);
  });
});
