import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { command, type Ended, folder, inShell, mezo } from "./mezo.ts";
import { lastLine, locksIn, resultOf, runsIn, small } from "./runs.ts";

const long = [...small, "--method", "mezo", "--steps", "400", "--lr", "1e-4"];
const run = (cwd: string, ...more: string[]): Ended => command("main", ["--threads", "1", ...long, ...more], cwd);

const mounted: string[] = [];
afterEach(() => {
  for (const at of mounted.splice(0)) spawnSync("umount", [at]);
});

/** A folder whose runs/ is a disk in memory of a few KiB; undefined where that may not be mounted here. */
function smallDisk(kibibytes: number): string | undefined {
  const cwd = folder();
  const at = join(cwd, "runs");
  mkdirSync(at);
  const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${kibibytes}k`, "tmpfs", at]);
  if (status !== 0) return undefined;
  mounted.push(at);
  return cwd;
}

const probe = smallDisk(16);
for (const at of mounted.splice(0)) spawnSync("umount", [at]);

const undisturbed = mezo(...long);

/** A command that has found no room, and what it has to have left. */
function expectKept({ status, stderr, cwd }: Ended, code: string): void {
  expect(status).toBe(1);
  expect(lastLine(stderr)).toMatch(
    new RegExp(`no room for it \\(${code}\\); .* kept in \\S+\\.part, and --resume continues it once there is room`),
  );
  expect(runsIn(cwd)).toEqual([expect.stringMatching(/\.part$/)]);
  expect(locksIn(cwd)).toEqual([]);
}

test.skipIf(probe === undefined).each([12, 16, 20, 28, 36])(
  "a disk of %i KiB that is full keeps the steps, and once it has room the run ends as if it always had (needs the right to mount)",
  (kibibytes) => {
    const cwd = smallDisk(kibibytes)!;
    expectKept(run(cwd), "ENOSPC");
    expectKept(run(cwd, "--resume"), "ENOSPC");
    spawnSync("mount", ["-o", "remount,size=1m", join(cwd, "runs")]);
    expect(run(cwd, "--resume").status).toBe(0);
    expect(resultOf(cwd)).toEqual(resultOf(undisturbed.cwd));
  },
);

test.each([2, 16, 30, 44, 58])(
  "files of at most %i blocks keep the steps, and once they may be longer the run ends as if they always had",
  (blocks) => {
    const cwd = folder();
    const full = inShell(`ulimit -f ${blocks} && exec "$0" "$@"`, ["--threads", "1", ...long], cwd);
    if (blocks > 2) expectKept(full, "EFBIG");
    else expect(full.status).toBe(1);
    expect(run(cwd, "--resume").status).toBe(0);
    expect(resultOf(cwd)).toEqual(resultOf(undisturbed.cwd));
  },
);
