import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { classify } from "../../src/experiment/classify.ts";
import { loadTuned } from "../../src/experiment/loadTuned.ts";
import { readRun } from "../../src/record/read.ts";
import { parseCsv } from "../../src/tasks/read/table.ts";
import { tinyData, tinyModel } from "../tiny.ts";
import { command, folder, inShell, startedIn } from "./mezo.ts";
import { until } from "./processes.ts";

const subject = ["--model", tinyModel(), "--data", tinyData(), "--text", "sentence", "--label", "label"];
const classes = ["--classes", "0= dull,1= fine", "--prompt", "{sentence} It was"];
const sizes = ["--train", "24", "--dev", "6", "--test", "12", "--batch-size", "2", "--threads", "1"];
const asked = ["tune", ...subject, ...classes, ...sizes];

const typed = (cwd: string, ...args: string[]): ReturnType<typeof command> => command("main", args, cwd);

describe("mezo tune and mezo classify", () => {
  const cwd = folder();
  const { status, stdout, stderr } = typed(cwd, ...asked, "--method", "ft", "--steps", "8", "--lr", "1e-2");
  const fields = (text: string): Readonly<Record<string, unknown>>[] =>
    parseCsv(text, "answers.csv").map(({ fields }) => fields);

  test("go from a file of rows to a saved model, and say how good it is beside what costs nothing", () => {
    expect(stderr).not.toContain("Error");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^label classification: 24 train, 6 dev and 12 test rows\. Of 8 steps the weights after \d/);
    for (const method of ["Majority", "Zero-shot", "FT"])
      expect(stdout).toMatch(new RegExp(`│ ${method} +│ +\\d+\\.\\d ±`));
    expect(stdout).toMatch(/│ [01] +│ +\d+\.\d │ +\d+\.\d │ +\d+\.\d │ +\d+ │/);
    expect(stdout).toContain("Next: npx mezo classify --model tuned --data new.csv --out answers.csv");
    expect(readdirSync(cwd)).toEqual(["tuned"]); // the run's file has gone into it
    expect(readRun(join(cwd, "tuned", "run.jsonl")).header).toMatchObject({ method: "FT", seed: 1 });
  });

  test("answer a file's rows, which stay as they are, with the library's labels and probabilities", async () => {
    const texts = ['the film, "warm" and fine', "the plot\nwas dull", "a cast"];
    const quoted = texts.map((text, i) => `${i},"${text.replaceAll('"', '""')}"`);
    writeFileSync(join(cwd, "new.csv"), `id,sentence\n${quoted.join("\n")}\n`);
    const { status, stdout } = typed(cwd, "classify", "--data", "new.csv", "--out", "answers.csv", "--threads", "1");
    expect(status).toBe(0);
    expect(stdout).toBe("answers.csv: 3 rows answered.\n");
    const rows = fields(readFileSync(join(cwd, "answers.csv"), "utf8"));
    const tuned = await loadTuned(join(cwd, "tuned"));
    const answers = await classify(tuned.model, tuned.task, texts);
    tuned.dispose();
    expect(rows.map(({ sentence }) => sentence)).toEqual(texts);
    expect(rows.map(({ id }) => id)).toEqual(["0", "1", "2"]);
    expect(rows.map(({ predicted }) => predicted)).toEqual(answers.map(({ label }) => label));
    for (const [i, { probabilities }] of answers.entries()) {
      expect(Number(rows[i]!["p(0)"])).toBeCloseTo(probabilities["0"]!, 3);
      expect(Number(rows[i]!.probability)).toBeCloseTo(Math.max(...Object.values(probabilities)), 3);
    }
    expect(readdirSync(cwd).toSorted()).toEqual(["answers.csv", "new.csv", "tuned"]);
  });

  test("answer texts of standard input, a line each", () => {
    const { stdout } = inShell(`printf 'the film was fine\\n\\nthe plot was dull\\n' | "$0" "$@"`, ["classify"], cwd);
    expect(stdout).toMatch(/^[01]\t0\.\d{4}\tthe film was fine\n[01]\t0\.\d{4}\tthe plot was dull\n$/);
  });

  test.each<[string, string[], RegExp]>([
    ["a folder that is no tuned model", ["classify", "--model", "."], /no tuned\.json there/],
    [
      "answers in the place of their rows",
      ["classify", "--data", "new.csv", "--out", "new.csv"],
      /their rows are in it/,
    ],
    [
      "an answer file without rows",
      ["classify", "--out", "answers.csv"],
      /name.*their file with --data|no rows were named/,
    ],
    ["rows without the text's column", ["classify", "--data", "ids.csv"], /no column "sentence".*"id"/],
    ["a column that answers would replace", ["classify", "--data", "old.csv"], /a column predicted already/],
  ])("refuse %s in one sentence", (_what, args, message) => {
    writeFileSync(join(cwd, "ids.csv"), "id\n1\n");
    writeFileSync(join(cwd, "old.csv"), "sentence,predicted\nfilm,1\n");
    const { status, stdout, stderr } = typed(cwd, ...args);
    expect(status).toBe(1);
    expect(stdout).toBe("");
    expect(stderr.trim().split("\n").at(-1)).toMatch(message);
  });
});

describe("mezo tune", () => {
  test("that is interrupted is resumed to the weights of one that is not", async () => {
    const args = [...asked.slice(1, -2), "--steps", "400", "--evaluate-every", "100", "--lr", "1e-3"];
    const cwd = folder();
    const { child, ended } = startedIn(cwd, "tune", ...args);
    const part = join(cwd, "tuned.run.jsonl.part");
    await until(
      () => child.exitCode !== null || (existsSync(part) && readFileSync(part, "utf8").split("\n").length > 20),
    );
    child.kill("SIGINT");
    const { status, stderr } = await ended;
    expect(status).toBe(130);
    expect(stderr.trim().split("\n").at(-1)).toMatch(/^Interrupted: .*--resume/);
    expect(existsSync(join(cwd, "tuned"))).toBe(false);
    expect(typed(cwd, "tune", ...args).stderr).toMatch(/cut short .* resume it with --resume/);
    expect(typed(cwd, "tune", ...args, "--resume").status).toBe(0);
    const whole = folder();
    expect(typed(whole, "tune", ...args).status).toBe(0);
    const [one, other] = [cwd, whole].map((at) => readRun(join(at, "tuned", "run.jsonl")));
    expect(one!.scores).toEqual(other!.scores);
    expect(one!.steps).toEqual(other!.steps);
  });

  test.each<[string, string[], RegExp]>([
    [
      "a text column without a label's",
      ["--data", tinyData(), "--text", "sentence"],
      /--text and --label, or one of the kit's tasks/,
    ],
    ["words for some classes only", [...subject, "--classes", "0= dull,1"], /none for 1: give all of them one/],
    [
      "a method that gives no model",
      [...subject, "--method", "icl"],
      /'icl' is invalid: allowed choices are lp, ft, ft-lora/,
    ],
    ["a column that is not there", [...subject.with(-1, "mood"), ...sizes], /"mood"/],
    ["a place with other files", [...subject, "--out", "taken"], /taken: other files are there/],
  ])("refuses %s in one sentence, before any step", (_what, args, message) => {
    const cwd = folder();
    mkdirSync(join(cwd, "taken"));
    writeFileSync(join(cwd, "taken", "thesis.txt"), "");
    const { status, stdout, stderr } = typed(cwd, "tune", ...args);
    expect(status).toBe(1);
    expect(stdout).toBe("");
    expect(stderr.trim().split("\n").at(-1)).toMatch(message);
    expect(readdirSync(cwd)).toEqual(["taken"]);
  });
});
