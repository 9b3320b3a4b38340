import { once } from "node:events";
import { expect, test } from "vitest";
import { command, type Ended, folder, mezo, startedIn } from "./mezo.ts";
import { childrenOf } from "./processes.ts";
import { lastLine, locksIn, resultOf, runsIn, small, untilLines } from "./runs.ts";

/** So many steps that a second command has started long before the first has ended. */
const long = [...small, "--method", "mezo", "--steps", "4000", "--lr", "1e-4"];
const undisturbed = mezo(...long);

/** Of two commands at one run, one has made it, and the other was refused. */
function expectOneRun(both: readonly Ended[], cwd: string): void {
  const [made, refused] = both.toSorted((a, b) => a.status! - b.status!) as [Ended, Ended];
  expect([made.status, refused.status]).toEqual([0, 1]);
  expect(lastLine(refused.stderr)).toMatch(
    /mezo-seed1\.jsonl: process \S+ .*is writing that run|a run was cut short there/,
  );
  expect(runsIn(cwd)).toEqual([expect.stringMatching(/mezo-seed1\.jsonl$/)]);
  expect(locksIn(cwd)).toEqual([]);
  expect(resultOf(cwd)).toEqual(resultOf(undisturbed.cwd));
}

test("the same command twice at once makes one run, as one alone does", async () => {
  const cwd = folder();
  const both = await Promise.all([1, 2].map(() => startedIn(cwd, ...long).ended));
  expectOneRun(both, cwd);
});

test("--resume beside a live run leaves it to end as one alone does", async () => {
  const first = startedIn(folder(), ...long);
  await untilLines(first, 100);
  const [worker] = childrenOf(first.child.pid!);
  process.kill(worker!, "SIGSTOP");
  const second = await startedIn(first.cwd, ...long, "--resume").ended;
  process.kill(worker!, "SIGCONT");
  expectOneRun([await first.ended, second], first.cwd);
});

test("two that resume a run whose processes were killed: one continues it, and ends as one alone does", async () => {
  const { child, ended, cwd } = startedIn(folder(), ...long);
  await untilLines({ child, ended, cwd }, 100);
  for (const pid of [child.pid!, ...childrenOf(child.pid!)]) process.kill(pid, "SIGKILL");
  await ended;
  expect(locksIn(cwd)).toHaveLength(1);
  const both = await Promise.all([1, 2].map(() => startedIn(cwd, ...long, "--resume").ended));
  expectOneRun(both, cwd);
});

test("a run is still taken after kill -9 of its command until its own process is gone, and free then", async () => {
  const started = startedIn(folder(), ...long);
  await untilLines(started, 10);
  const [worker] = childrenOf(started.child.pid!);
  process.kill(worker!, "SIGSTOP");
  const ended = once(started.child, "exit"); // not its output's end: its own process has that open
  started.child.kill("SIGKILL");
  await ended;
  const refused = command("main", ["--threads", "1", ...long, "--resume"], started.cwd);
  expect(refused.stderr).toMatch(/is writing that run/);
  process.kill(worker!, "SIGKILL");
  const { status, stderr } = command("main", ["--threads", "1", ...long, "--resume"], started.cwd);
  expect(stderr).toMatch(/MeZO: resumed after \d+ steps/);
  expect(status).toBe(0);
  expect(locksIn(started.cwd)).toEqual([]);
});
