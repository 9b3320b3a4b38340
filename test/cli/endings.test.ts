import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { tinyData, tinyModel } from "../tiny.ts";
import { command, folder, inShell, mezo, started } from "./mezo.ts";
import { childrenOf, isAlive, until } from "./processes.ts";

const small = [
  ...["--model", tinyModel(), "--data", tinyData(), "--train", "24", "--dev", "4", "--test", "4", "--batch-size", "1"],
  ...["--out", "runs", "--figures", "pictures"],
];

/** A command with a finished run behind it and a long one under way. */
async function underWay(): Promise<ReturnType<typeof started>> {
  const command = started(...small, "--method", "majority,mezo", "--steps", "1000000");
  await until(() => steps(command.cwd) > 5);
  return command;
}

const parts = (cwd: string): string[] => readdirSync(join(cwd, "runs")).filter((name) => name.endsWith(".part"));

/** Lines of the run under way; the one before it may be given its name, without `.part`, at any moment. */
function steps(cwd: string): number {
  const [part] = existsSync(join(cwd, "runs")) ? parts(cwd).filter((name) => name.includes("-mezo-")) : [];
  return part === undefined ? 0 : readFileSync(join(cwd, "runs", part), "utf8").split("\n").length;
}

describe("a command that ends", () => {
  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)(
    "by %s to its first process alone: the run's process goes too, finished runs are shown, the other can be resumed",
    async (signal, code) => {
      const { child, ended, cwd } = await underWay();
      const workers = childrenOf(child.pid!);
      expect(workers).toHaveLength(1);
      child.kill(signal);
      const { status, stdout, stderr } = await ended;
      expect(status).toBe(code);
      expect(stderr.match(/Interrupted: finished runs are kept, and --resume resumes/g)).toHaveLength(1);
      expect(stderr).not.toMatch(/ended early|Error/);
      expect(stdout).toMatch(/Majority +│ +\d/);
      expect(stdout).not.toMatch(/MeZO +│ +\d/);
      const names = [/majority-seed1\.jsonl$/, /mezo-seed1\.jsonl\.part$/].map((name) => expect.stringMatching(name));
      expect(readdirSync(join(cwd, "runs")).toSorted()).toEqual(names);
      expect(isAlive(workers[0]!)).toBe(false);
    },
  );

  test("by a signal that only the run's process gets, as Ctrl-C may: the same", async () => {
    const { child, ended, cwd } = await underWay();
    process.kill(childrenOf(child.pid!)[0]!, "SIGINT");
    const { status, stderr } = await ended;
    expect(status).toBe(130);
    expect(stderr.match(/Interrupted/g)).toHaveLength(1);
    expect(parts(cwd)).toHaveLength(1);
  });

  test("by kill -9: the run's process notices and ends", async () => {
    const { child, ended } = await underWay();
    const [worker] = childrenOf(child.pid!);
    child.kill("SIGKILL");
    await ended;
    await until(() => !isAlive(worker!));
  });

  test("by a run that fails still shows the finished ones, then the reason", () => {
    const out = folder();
    const first = mezo(...small, "--method", "mezo", "--steps", "20", "--out", out);
    const [name] = readdirSync(out);
    const blocked = join(out, name!.replace("seed1", "seed2"));
    mkdirSync(blocked);
    writeFileSync(join(blocked, "in-the-way"), "");
    const { status, stdout, stderr } = mezo(
      ...[...small, "--method", "mezo", "--steps", "20", "--out", out, "--seeds", "1,2"],
    );
    expect(first.status).toBe(0);
    expect(status).toBe(1);
    expect(stdout).toMatch(/MeZO +│ +\d/);
    expect(stderr.trim().split("\n").at(-1)).toMatch(/seed2\.jsonl: a run was to be written there/);
    expect(readdirSync(out).filter((file) => file.endsWith(".part"))).toEqual([]);
  });
});

describe("the table of a folder", () => {
  test("is Markdown of its finished runs", () => {
    const { cwd } = mezo(...small, "--method", "majority");
    const { status, stdout } = command("main", ["report", "runs"], cwd);
    expect(status).toBe(0);
    expect(stdout).toMatch(/\| Majority \| \d+\.\d ± \d+\.\d \|/);
  });

  test.each([
    ["absent", ["no-such-folder"], /no-such-folder: finished runs were to be read there, but it cannot be \(ENOENT\)/],
    ["empty", ["."], /holds no finished run/],
  ])("that is %s is refused in one line", (_what, args, message) => {
    const { status, stdout, stderr } = command("main", ["report", ...args]);
    expect(status).toBe(1);
    expect(stdout).toBe("");
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toMatch(message);
  });

  test("ends quietly where no one reads on", () => {
    const runs = join(import.meta.dirname, "../../data/runs");
    const { stdout, stderr } = inShell('"$0" "$@" | head -n 1', ["report", runs], folder());
    expect(stdout).toMatch(/^\| method \|.*\n$/);
    expect(stderr).toBe("");
  });

  test("has a help", () => {
    const { status, stdout } = command("main", ["report", "--help"]);
    expect(status).toBe(0);
    expect(stdout).toContain("[folder]");
  });
});
