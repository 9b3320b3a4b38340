import { setTimeout } from "node:timers/promises";
import seedrandom from "seedrandom";
import { expect, test } from "vitest";
import { command, folder, mezo, startedIn } from "./mezo.ts";
import { childrenOf } from "./processes.ts";
import { lines, resultOf, small } from "./runs.ts";

const long = [...small, "--method", "mezo", "--steps", "1500", "--lr", "1e-4"];

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
  expect(resultOf(cwd)).toEqual(resultOf(whole.cwd));
  expect(resultOf(cwd).scores.at(-1)!.theta).toMatch(/^[0-9a-f]{16}$/);
});
