import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { tinyData, tinyModel } from "../tiny.ts";
import { command, folder, mezo, startedIn } from "./mezo.ts";
import { until } from "./processes.ts";

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

describe("--resume", () => {
  test("cuts a torn last line off, says so, and goes on", async () => {
    const { child, ended, cwd } = startedIn(folder(), ...long);
    await until(() => lines(cwd) >= 10);
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
