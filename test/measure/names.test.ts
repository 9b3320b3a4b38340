import { cpSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { flagName } from "../../src/cli/options.ts";
import { makePlan, type Plan, rowsName } from "../../src/measure/plan.ts";
import { loadModel } from "../../src/models/load.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { folder } from "../cli/mezo.ts";
import { requestFrom } from "../cli/request.ts";
import { run } from "../record/sampleRun.ts";
import { tinyModel, tinyTensors } from "../tiny.ts";

const model = tinyModel();
let weightsHash = "";

beforeAll(async () => {
  const loaded = await loadModel(model);
  weightsHash = loaded.weightsHash;
  loaded.dispose();
});

/** A file of that name in a folder of its own, its rows of so many words. */
function csv(name: string, words = 3): string {
  const file = join(folder(), name);
  const rows = Array.from({ length: 40 }, (_, i) => `${"fine ".repeat(words)}film ${i},${i % 2}`);
  writeFileSync(file, `sentence,label\n${rows.join("\n")}\n`);
  return file;
}

const sizes = ["--train", "8", "--dev", "4", "--test", "4"];

const planned = (...args: string[]): Promise<Plan> =>
  makePlan(
    requestFrom([...["--model", model, "--method", "mezo", "--figures", folder()], ...sizes, ...args]),
    () => {},
    flagName,
  );

const names = async (...args: string[]): Promise<string[]> =>
  (await planned("--out", folder(), ...args)).jobs.map(({ file }) => basename(file));

/** A model's folder by another name. */
function copied(from: string, name: string): string {
  const to = join(folder(), name);
  cpSync(from, to, { recursive: true });
  return to;
}

/** Puts the first line of a run where one is to be written. */
function begun(file: string, change: object): void {
  mkdirSync(dirname(file), { recursive: true });
  const header = { ...run.header, model: "tiny", weightsHash, ...change };
  writeFileSync(file, `${JSON.stringify({ header, hash: "0".repeat(16) })}\n`);
}

describe("the files of runs", () => {
  test("on the rows that a task has by itself have no word of them", async () => {
    expect(await names()).toEqual([`sst-2-${basename(model)}-mezo-seed1.jsonl`.toLowerCase()]);
    expect(await names("--task", "RTE", "--data", "samples")).toEqual([expect.stringMatching(/^rte-tiny-opt/)]);
  });

  test("on a user's rows have the file's name and its content's hash, so that two files of one name have two runs", async () => {
    const [one] = await names("--data", csv("My reviews.csv"));
    const [other] = await names("--data", csv("My reviews.csv", 5));
    expect(one).toMatch(/^sst-2-my-reviews-[0-9a-f]{8}-tiny-opt-\w+-mezo-seed1\.jsonl$/);
    expect(other).toMatch(/^sst-2-my-reviews-/);
    expect(other).not.toBe(one);
  });

  test("on the same rows in another folder are the same", async () => {
    expect(await names("--data", csv("mine.csv"))).toEqual(await names("--data", csv("mine.csv")));
  });

  test("that were made before names told the rows are found by their headers, and only on these rows", async () => {
    const [out, data] = [folder(), csv("mine.csv")];
    const [plain] = (await planned("--out", out)).jobs;
    begun(plain!.file, { data: (await loadTask("SST-2", { data, train: 8, dev: 4, test: 4 })).data });
    const file = async (...args: string[]): Promise<string> => (await planned("--out", out, ...args)).jobs[0]!.file;
    expect(await file("--data", data)).toBe(plain!.file);
    expect(basename(await file("--data", csv("mine.csv", 5)))).toMatch(/^sst-2-mine-[0-9a-f]{8}-/);
  });
});

describe("what names say of rows", () => {
  test.each([
    [["x/reviews.tsv.gz"], "0123456789ab", "reviews-01234567"],
    [["CB/train.jsonl", "CB/val.jsonl"], "2d6950daeff1", "cb-2d6950da"],
    [["16-13/train.tsv", "16-13/dev.tsv", "16-13/test.tsv"], "0a1b2c3d4e5f", "16-13-0a1b2c3d"],
    [["data/Kundenbewertungen März.csv"], "0123456789ab", "kundenbewertungen-märz-01234567"],
  ])("in %s, %s: %s", async (files, sha256, name) => {
    expect(await rowsName("SST-2", [{ files, sha256 }])).toBe(name);
  });

  test("of K-shot folders over several seeds: the k, and one hash of all, in any order", async () => {
    const folders = [13, 21].map((seed) => ({
      files: [`16-${seed}/train.tsv`, `16-${seed}/dev.tsv`],
      sha256: `${seed}23456789ab`,
    }));
    const name = await rowsName("SST-2", folders);
    expect(name).toMatch(/^16-seed-[0-9a-f]{8}$/);
    expect(await rowsName("SST-2", folders.toReversed())).toBe(name);
    expect(await rowsName("SST-2", [folders[0]!, folders[0]!])).toBe("16-13-13234567");
  });

  test("of a task that is not the kit's: always which rows", async () => {
    expect(await rowsName("tickets", [{ files: ["data/tickets.csv"], sha256: "0123456789ab" }])).toBe(
      "tickets-01234567",
    );
  });
});

describe("a run in the place of another", () => {
  test("of a model in another folder of the same name is refused before anything begins, of the same model not", async () => {
    const out = folder();
    const mine = copied(model, "mine");
    const doubled = tinyTensors().map((one) => ({ ...one, data: one.data.map((x) => 2 * x) }));
    const other = copied(tinyModel({ tensors: doubled }), "mine");
    const [job] = (await planned("--out", out, "--model", mine)).jobs;
    begun(job!.file, { data: (await loadTask("SST-2", { train: 8, dev: 4, test: 4 })).data });
    expect((await planned("--out", out, "--model", mine)).jobs).toEqual([expect.objectContaining({ file: job!.file })]);
    await expect(planned("--out", out, "--model", other)).rejects.toThrow(
      new RegExp(`holds a run of tiny ${weightsHash}, whose place one of mine [0-9a-f]{16} was to take: .*--out`),
    );
    expect(readdirSync(out)).toEqual([basename(job!.file)]);
  });

  test("on other rows is refused, one under way too, in a smoke run not", async () => {
    const out = folder();
    const [job] = (await planned("--out", out)).jobs;
    begun(`${job!.file}.part`, { data: { files: ["mine.csv"], sha256: "0123456789ab" } });
    await expect(planned("--out", out)).rejects.toThrow(
      /holds a run on mine\.csv, sha256 0123456789ab, whose place one on npm:/,
    );
    expect((await planned("--out", out, "--smoke")).jobs).toHaveLength(1);
  });
});
