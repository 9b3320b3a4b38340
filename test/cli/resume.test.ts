import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import seedrandom from "seedrandom";
import { describe, expect, test } from "vitest";
import { readRun } from "../../src/experiment/runFile/read.ts";
import { tinyData, tinyModel } from "../tiny.ts";
import { command, folder, mezo, startedIn } from "./mezo.ts";

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

function childrenOf(pid: number): number[] {
  const { stdout } = spawnSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
  const pairs = stdout.split("\n").map((line) => line.trim().split(/\s+/).map(Number));
  return pairs.filter(([, parent]) => parent === pid).map(([child]) => child!);
}

describe("a training process that is killed", () => {
  test("at 20 random moments and resumed each time ends with the very weights and scores of one that was not", async () => {
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
  }, 240_000);
});

describe("--resume", () => {
  test("cuts a torn last line off, says so, and goes on", async () => {
    const { child, ended, cwd } = startedIn(folder(), ...long);
    while (lines(cwd) < 10) await setTimeout(5);
    child.kill("SIGTERM");
    const { stderr } = await ended;
    expect(stderr).toMatch(/--resume goes on/);
    const [part] = runsIn(cwd);
    expect(part).toMatch(/\.part$/);
    appendFileSync(join(cwd, "runs", part!), '{"step":12');
    const resumed = command("main", ["--threads", "1", ...long, "--resume"], cwd);
    expect(resumed.status).toBe(0);
    expect(resumed.stderr).toMatch(/resumed after \d+ steps, its last line, which was torn, left out/);
    expect(runsIn(cwd)).toEqual([expect.stringMatching(/mezo-seed1\.jsonl$/)]);
  }, 60_000);

  test("keeps a finished run of the same settings, and refuses one of others", () => {
    const short = [...small, "--method", "mezo", "--steps", "20"];
    const { cwd } = mezo(...short);
    const [name] = runsIn(cwd);
    const before = readFileSync(join(cwd, "runs", name!), "utf8");
    expect(command("main", ["--threads", "1", ...short, "--resume"], cwd).status).toBe(0);
    expect(readFileSync(join(cwd, "runs", name!), "utf8")).toBe(before);
    const other = command("main", ["--threads", "1", ...short, "--lr", "3e-4", "--resume"], cwd);
    expect(other.status).toBe(1);
    expect(other.stderr.trim().split("\n").at(-1)).toMatch(/was to be resumed, but options\.lr is/);
    expect(readFileSync(join(cwd, "runs", name!), "utf8")).toBe(before);
  });

  test("begins FT anew, whose steps no file tells, and says so", () => {
    const cwd = folder();
    mkdirSync(join(cwd, "runs"));
    const ft = [...small, "--method", "ft", "--steps", "5"];
    const first = command("main", ["--threads", "1", ...ft], cwd);
    expect(first.status).toBe(0);
    const [name] = runsIn(cwd);
    const text = readFileSync(join(cwd, "runs", name!), "utf8").split("\n");
    appendFileSync(join(cwd, "runs", `${name}.part`), `${text.slice(0, 3).join("\n")}\n`);
    spawnSync("rm", [join(cwd, "runs", name!)]);
    const again = command("main", ["--threads", "1", ...ft, "--resume"], cwd);
    expect(again.status).toBe(0);
    expect(again.stderr).toMatch(/FT: begun anew/);
  });
});

describe("the commands on run files", () => {
  test("make weights again, tell two runs apart and write the compact form", () => {
    const short = [...small, "--method", "mezo", "--steps", "20", "--seeds", "1,2"];
    const { cwd } = mezo(...short);
    const [one, two] = runsIn(cwd).map((name) => join("runs", name));
    const replayed = command("main", ["replay", one!, "--model", small[1]!, "--save", "tuned"], cwd);
    expect(replayed.stderr).not.toContain("Error");
    expect(replayed.stdout).toMatch(/20 steps made again in .*those that the run had there, to the bit/);
    expect(readdirSync(join(cwd, "tuned"))).toEqual(expect.arrayContaining(["config.json", "model.safetensors"]));
    expect(command("main", ["diff", one!, two!], cwd).stdout).toMatch(/part after 0 steps: seed is 1 in one and 2/);
    expect(command("main", ["diff", one!, one!], cwd).stdout).toMatch(/the same over 20 steps/);
    expect(command("main", ["compact", one!, "run.mezo"], cwd).stdout).toMatch(/run\.mezo: 20 steps in \d+ bytes/);
    const again = command("main", ["replay", "run.mezo", "--model", small[1]!], cwd);
    expect(again.stdout).toMatch(/20 steps made again in .*to the bit/);
    const other = command("main", ["replay", one!, "--model", "opt-reviews"], cwd);
    expect(other.status).toBe(1);
    expect(other.stderr.trim().split("\n").at(-1)).toMatch(/was made from tiny-opt-\S+ with the weights/);
  });
});
