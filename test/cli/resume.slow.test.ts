import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import seedrandom from "seedrandom";
import { expect, test } from "vitest";
import { readRun } from "../../src/experiment/runFile/read.ts";
import { tinyData, tinyModel } from "../tiny.ts";
import { command, folder, mezo, startedIn } from "./mezo.ts";
import { childrenOf } from "./processes.ts";

const small = [
  ...["--model", tinyModel(), "--data", tinyData(), "--train", "24", "--dev", "6", "--test", "6", "--batch-size", "2"],
  ...["--out", "runs", "--figures", "pictures"],
];
const long = [...small, "--method", "mezo", "--steps", "1500", "--lr", "1e-4"];

const runsIn = (cwd: string): string[] => (existsSync(join(cwd, "runs")) ? readdirSync(join(cwd, "runs")) : []);

/** Lines of the run that is under way, or finished. */
function lines(cwd: string): number {
  const [name] = runsIn(cwd);
  return name === undefined ? 0 : readFileSync(join(cwd, "runs", name), "utf8").split("\n").length - 1;
}

test("a training process that is killed at 20 random moments and resumed each time ends with the very weights and scores of one that was not", async () => {
  const whole = mezo(...long);
  expect(whole.status).toBe(0);
  const random = seedrandom.alea("kills");
  const cwd = folder();
  let kills = 0;
  for (const moment of Array.from({ length: 20 }, (_, i) => 70 * i + Math.floor(70 * random())).toSorted(
    (a, b) => a - b,
  )) {
    const { child, ended } = startedIn(cwd, ...long, "--resume");
    while (lines(cwd) < moment && child.exitCode === null) await setTimeout(2 * random());
    const victims = child.exitCode === null ? childrenOf(child.pid!) : [];
    for (const victim of victims) process.kill(victim, "SIGKILL");
    const { status } = await ended;
    if (victims.length === 0) continue;
    expect(status).not.toBe(0);
    kills++;
  }
  expect(kills).toBe(20);
  const { status, stderr } = command("main", ["--threads", "1", ...long, "--resume"], cwd);
  expect(status).toBe(0);
  expect(stderr).toMatch(/MeZO: resumed after \d+ steps/);
  const [expected, found] = [whole.cwd, cwd].map((at) => readRun(join(at, "runs", runsIn(at)[0]!)));
  expect(found!.steps).toEqual(expected!.steps);
  expect(found!.scores).toEqual(expected!.scores);
  expect(found!.scores.at(-1)!.theta).toMatch(/^[0-9a-f]{16}$/);
});
