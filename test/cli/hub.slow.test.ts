import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { readRun } from "../../src/record/read.ts";
import { commitOf, startFakeHub } from "../checkpoints/fakeHub.ts";
import { temporaryFolder } from "../checkpoints/files.ts";
import { tinyData, tinyModel, tinyTensors } from "../tiny.ts";
import { type Ended, started } from "./mezo.ts";

beforeEach(() => {
  for (const name of ["HF_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]) vi.stubEnv(name, undefined);
  vi.stubEnv("HF_HOME", join(temporaryFolder(), "home"));
  vi.stubEnv("HF_HUB_CACHE", temporaryFolder());
});
afterEach(() => vi.unstubAllEnvs());

const filesOf = (folder: string): Record<string, Buffer> =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]));

/** Runs a method on a few rows. */
const table = (...args: string[]): Promise<Ended> =>
  started("--train", "4", "--dev", "4", "--test", "4", "--batch-size", "2", "--steps", "2", ...args).ended;

const runIn = ({ cwd }: Ended): string => {
  const folder = join(cwd, "data/runs");
  return join(folder, readdirSync(folder).find((name) => name.endsWith(".jsonl"))!);
};

test("--revision and --data hf: take a model and rows from the hub, and replay takes the run's commit though main has moved on", async () => {
  const [old, moved] = [tinyModel(), tinyModel({ tensors: tinyTensors().toReversed() })].map(filesOf);
  const model = await startFakeHub({ revisions: { main: moved!, v1: old! } });
  vi.stubEnv("HF_ENDPOINT", model.hubUrl);
  const first = await table("--model", "org/tiny", "--revision", "v1", "--method", "mezo", "--data", tinyData());
  expect(first.stderr).not.toMatch(/Error/);
  expect(runIn(first)).toMatch(/tiny@v1-mezo-seed1\.jsonl$/);
  expect(readRun(runIn(first)).header).toMatchObject({ model: "org/tiny", revision: commitOf("v1") });

  vi.stubEnv("HF_HUB_CACHE", temporaryFolder());
  const replayed = await started("replay", runIn(first)).ended;
  expect(replayed.stdout).toMatch(/2 steps replayed .* to the bit\./);

  const rows = readFileSync(tinyData(), "utf8");
  const data = await startFakeHub({ revisions: { main: { "train.csv": rows } }, type: "dataset" });
  vi.stubEnv("HF_ENDPOINT", data.hubUrl);
  const cached = `org/tiny@${commitOf("v1")}`;
  const second = await table("--model", cached, "--method", "zero-shot", "--data", "hf:org/tiny");
  expect(readRun(runIn(second)).header.data).toMatchObject({
    files: ["hf:org/tiny/train.csv"],
    revision: commitOf("main"),
  });
}, 300_000);
