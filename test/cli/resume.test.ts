import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { command, folder, inShell, mezo, startedIn } from "./mezo.ts";
import { lastLine, locksIn, resultOf, runIn, runsIn, small, untilLines } from "./runs.ts";

const long = [...small, "--method", "mezo", "--steps", "1500", "--lr", "1e-4"];

let whole: ReturnType<typeof resultOf> | undefined;

/** What that command's run holds where nothing befalls it. */
function undisturbed(): ReturnType<typeof resultOf> {
  whole ??= resultOf(mezo(...long).cwd);
  return whole;
}

/** A run of which at least ten lines are written, ended by SIGTERM. */
async function cutShort(): Promise<{ readonly cwd: string; readonly part: string; readonly bytes: Buffer }> {
  const started = startedIn(folder(), ...long);
  await untilLines(started, 10);
  started.child.kill("SIGTERM");
  const { stderr, cwd, status } = await started.ended;
  expect(status).toBe(143);
  expect(stderr).toMatch(/--resume resumes/);
  expect(locksIn(cwd)).toEqual([]);
  const part = runIn(cwd);
  expect(part).toMatch(/\.part$/);
  return { cwd, part, bytes: readFileSync(part) };
}

describe("--resume", () => {
  test("cuts a torn last line off, says so, and ends with the very weights and scores of a run that was not cut short", async () => {
    const { cwd, part } = await cutShort();
    appendFileSync(part, '{"step":12');
    const resumed = command("main", ["--threads", "1", ...long, "--resume"], cwd);
    expect(resumed.status).toBe(0);
    expect(resumed.stderr).toMatch(/resumed after \d+ steps, its last line, which was torn, left out/);
    expect(runsIn(cwd)).toEqual([expect.stringMatching(/mezo-seed1\.jsonl$/)]);
    expect(locksIn(cwd)).toEqual([]);
    expect(resultOf(cwd)).toEqual(undisturbed());
    expect(resultOf(cwd).scores.at(-1)!.theta).toMatch(/^[0-9a-f]{16}$/);
  });

  test("with other settings, and a new run in its place, are refused and leave a run that was cut short byte for byte", async () => {
    const { cwd, part, bytes } = await cutShort();
    appendFileSync(part, '{"step":12');
    const torn = Buffer.concat([bytes, Buffer.from('{"step":12')]);
    const refusals: [string[], RegExp][] = [
      [
        ["--resume", "--lr", "5e-4"],
        /to be resumed, but tuner\.options\.lr is 0\.0001 in one and 0\.0005 in the other/,
      ],
      [["--resume", "--batch-size", "3"], /to be resumed, but settings\.batchSize is/],
      [["--resume", "--backend", "cpu"], /to be resumed, but backend is "native" in one and "cpu" in the other/],
      [[], /mezo-seed1\.jsonl\.part: a run was cut short there after \d+ steps: resume it with --resume, or remove/],
    ];
    for (const [args, sentence] of refusals) {
      const { status, stdout, stderr } = command("main", ["--threads", "1", ...long, ...args], cwd);
      expect(status).toBe(1);
      expect(stdout).toBe("");
      expect(lastLine(stderr)).toMatch(sentence);
      expect(readFileSync(part)).toEqual(torn);
      expect(readdirSync(join(cwd, "runs"))).toHaveLength(1);
    }
  });

  test("keeps a finished run of the same settings, and refuses one of others", () => {
    const short = [...small, "--method", "mezo", "--steps", "20"];
    const { cwd } = mezo(...short);
    const [name] = runsIn(cwd);
    const before = readFileSync(join(cwd, "runs", name!), "utf8");
    expect(command("main", ["--threads", "1", ...short, "--resume"], cwd).status).toBe(0);
    expect(readFileSync(join(cwd, "runs", name!), "utf8")).toBe(before);
    const other = command("main", ["--threads", "1", ...short, "--lr", "3e-4", "--resume"], cwd);
    expect(other.status).toBe(1);
    expect(other.stderr.trim().split("\n").at(-1)).toMatch(/was to be resumed, but tuner\.options\.lr is/);
    expect(readFileSync(join(cwd, "runs", name!), "utf8")).toBe(before);
  });

  test("reads a finished run in several commands at once", async () => {
    const short = [...small, "--method", "mezo", "--steps", "5"];
    const { cwd } = mezo(...short);
    const [name] = runsIn(cwd);
    const before = readFileSync(join(cwd, "runs", name!), "utf8");
    const commands = Array.from({ length: 3 }, () => startedIn(cwd, ...short, "--resume").ended);
    expect((await Promise.all(commands)).map(({ status }) => status)).toEqual([0, 0, 0]);
    expect(readFileSync(join(cwd, "runs", name!), "utf8")).toBe(before);
    expect(runsIn(cwd)).toEqual([name]);
  });

  test("starts FT over, as no file holds its steps, says so, and keeps what was there", () => {
    const cwd = folder();
    mkdirSync(join(cwd, "runs"));
    const ft = [...small, "--method", "ft", "--steps", "5"];
    const first = command("main", ["--threads", "1", ...ft], cwd);
    expect(first.status).toBe(0);
    const [name] = runsIn(cwd);
    const text = readFileSync(join(cwd, "runs", name!), "utf8").split("\n");
    const part = join(cwd, "runs", `${name}.part`);
    writeFileSync(part, `${text.slice(0, 3).join("\n")}\n`);
    rmSync(join(cwd, "runs", name!));
    const again = command("main", ["--threads", "1", ...ft, "--resume"], cwd);
    expect(again.status).toBe(0);
    expect(again.stderr).toMatch(/FT: started over, .* kept in \S+-ft-seed1\.jsonl\.part\.1\./);
    expect(readFileSync(`${part}.1`, "utf8")).toBe(`${text.slice(0, 3).join("\n")}\n`);
    expect(runsIn(cwd)).toEqual([name]);
  });
});

describe("a run whose file fails it", () => {
  test("for lack of room keeps its steps, says that --resume continues it, and ends as if there had been room", () => {
    const cwd = folder();
    const script = 'ulimit -f 16 && exec "$0" "$@"'; // 8 or 16 KiB, as the shell counts
    const full = inShell(script, ["--threads", "1", ...long], cwd);
    expect(full.status).toBe(1);
    expect(full.stdout).toBe("");
    expect(lastLine(full.stderr)).toMatch(
      /mezo-seed1\.jsonl: .* there is no room for it \(EFBIG\); .* kept in \S+\.jsonl\.part, and --resume continues it once there is room\.$/,
    );
    expect(runsIn(cwd)).toEqual([expect.stringMatching(/\.part$/)]);
    expect(statSync(runIn(cwd)).size).toBeGreaterThan(4096);
    expect(locksIn(cwd)).toEqual([]);
    const resumed = command("main", ["--threads", "1", ...long, "--resume"], cwd);
    expect(resumed.stderr).toMatch(/resumed after \d+ steps\./);
    expect(resumed.status).toBe(0);
    expect(resultOf(cwd)).toEqual(undisturbed());
  });

  test("since it was cut by hand stops at the next step, says so, and leaves no broken run in place", async () => {
    const started = startedIn(folder(), ...long);
    await untilLines(started, 30);
    truncateSync(runIn(started.cwd), 1000);
    const { status, stderr, cwd } = await started.ended;
    expect(status).toBe(1);
    expect(lastLine(stderr)).toMatch(/mezo-seed1\.jsonl\.part was cut by another program/);
    expect(runsIn(cwd)).toEqual([expect.stringMatching(/\.part$/)]);
    expect(locksIn(cwd)).toEqual([]);
  });
});

describe("a run that is under way", () => {
  test("is left alone by the same command and by --resume, which are refused at once in one sentence", async () => {
    const started = startedIn(folder(), ...small, "--method", "majority,mezo", "--steps", "1000000");
    const { child, cwd, ended } = started;
    const part = (): string => join(cwd, "runs", runsIn(cwd).find((name) => name.endsWith("mezo-seed1.jsonl.part"))!);
    while (!runsIn(cwd).some((name) => name.endsWith("mezo-seed1.jsonl.part"))) await setTimeout(5);
    const before = [statSync(part()).ino, readFileSync(part())] as const;
    const finished = statSync(join(cwd, "runs", runsIn(cwd)[0]!));
    for (const more of [[], ["--resume"]]) {
      const args = ["--threads", "1", ...small, "--method", "majority,mezo", "--steps", "1000000", ...more];
      const { status, stdout, stderr } = command("main", args, cwd);
      expect(status).toBe(1);
      expect(stdout).toBe("");
      expect(stderr.trim()).toMatch(/^\S+mezo-seed1\.jsonl: process \d+ is writing that run: [^\n]*$/);
    }
    expect(statSync(part()).ino).toBe(before[0]);
    expect(readFileSync(part()).subarray(0, before[1].length)).toEqual(before[1]);
    expect(statSync(join(cwd, "runs", runsIn(cwd)[0]!)).mtimeMs).toBe(finished.mtimeMs);
    child.kill("SIGINT");
    expect((await ended).status).toBe(130);
    expect(locksIn(cwd)).toEqual([]);
  });
});

describe("the commands on run files", () => {
  test("make weights again, tell two runs apart and write the compact form", () => {
    const short = [...small, "--method", "mezo", "--steps", "20", "--seeds", "1,2"];
    const { cwd } = mezo(...short);
    const [one, two] = runsIn(cwd).map((name) => join("runs", name));
    const replayed = command("main", ["replay", one!, "--model", small[1]!, "--save", "tuned"], cwd);
    expect(replayed.stderr).not.toContain("Error");
    expect(replayed.stdout).toMatch(/20 steps replayed in .*those that the run had there, to the bit/);
    expect(readdirSync(join(cwd, "tuned"))).toEqual(expect.arrayContaining(["config.json", "model.safetensors"]));
    expect(command("main", ["diff", one!, two!], cwd).stdout).toMatch(/part after 0 steps: seed is 1 in one and 2/);
    expect(command("main", ["diff", one!, one!], cwd).stdout).toMatch(/the same over 20 steps/);
    expect(command("main", ["compact", one!, "run.mezo"], cwd).stdout).toMatch(/run\.mezo: 20 steps in \d+ bytes/);
    const again = command("main", ["replay", "run.mezo", "--model", small[1]!], cwd);
    expect(again.stdout).toMatch(/20 steps replayed in .*to the bit/);
    const other = command("main", ["replay", one!, "--model", "opt-reviews"], cwd);
    expect(other.status).toBe(1);
    expect(other.stderr.trim().split("\n").at(-1)).toMatch(/was made from tiny-opt-\S+ with the weights/);
  });
});
