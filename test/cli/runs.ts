import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { readRun } from "../../src/record/read.ts";
import type { Run } from "../../src/record/run.ts";
import { tinyData, tinyModel } from "../tiny.ts";
import type { Started } from "./mezo.ts";

/** A command on the tiny model, whose runs go to runs/ in the folder that it is started in. */
export const small: readonly string[] = [
  ...["--model", tinyModel(), "--data", tinyData(), "--train", "24", "--dev", "6", "--test", "6", "--batch-size", "2"],
  ...["--out", "runs", "--figures", "pictures"],
];

/** The run files of a folder in which a command was started, finished or not, without their locks. */
export function runsIn(cwd: string): string[] {
  const folder = join(cwd, "runs");
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names.filter((name) => /\.jsonl(\.part)?$/.test(name)).toSorted();
}

/** The path of the one run file of a folder in which a command was started. */
export function runIn(cwd: string): string {
  const [name, ...more] = runsIn(cwd);
  if (name === undefined || more.length > 0) throw new Error(`one run was expected: ${runsIn(cwd).join(", ")}`);
  return join(cwd, "runs", name);
}

/** The locks in a folder in which a command was started. */
export const locksIn = (cwd: string): string[] =>
  readdirSync(join(cwd, "runs")).filter((name) => name.includes(".lock"));

/** Lines of the one run that is under way, or finished. */
export function lines(cwd: string): number {
  return runsIn(cwd).length === 0 ? 0 : readFileSync(runIn(cwd), "utf8").split("\n").length - 1;
}

/** Returns once a command's run has so many lines, or the command is over. */
export async function untilLines({ child, cwd }: Started, count: number): Promise<void> {
  while (child.exitCode === null && lines(cwd) < count) await setTimeout(2);
}

/** What a finished run holds that must not depend on what happened to it on its way. */
export function resultOf(cwd: string): Pick<Run, "steps" | "scores"> {
  const { steps, scores } = readRun(runIn(cwd));
  return { steps, scores };
}

/** The last line that a command has written to stderr. */
export const lastLine = (text: string): string => text.trim().split("\n").at(-1)!;
