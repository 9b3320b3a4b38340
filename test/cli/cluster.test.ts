import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { natsPort } from "../../src/cluster/join.ts";
import { diff } from "../../src/record/diff.ts";
import { readRun } from "../../src/record/read.ts";
import { freePort, hasServer, needsServer, startServer } from "../cluster/server.ts";
import { tinyData, tinyModel, tinyTensors } from "../tiny.ts";
import { command, type Ended, folder, type Started, started } from "./mezo.ts";

const model = tinyModel();
const sizes = ["--train", "24", "--dev", "6", "--test", "12", "--steps", "12", "--batch-size", "4", "--lr", "1e-3"];
const asked = ["tune", "--task", "SST-2", "--data", tinyData(), "--model", model, "--method", "mezo", ...sizes];
const work = (url: string, ...more: string[]): Started =>
  started("worker", "--cluster", url, "--model", model, ...more);

const sentenceOf = ({ stdout, stderr }: Ended): string => {
  expect(stdout).toBe("");
  return stderr.trim().split("\n").at(-1)!;
};

/** Where no server is. */
const nobody = `nats://127.0.0.1:${await freePort()}`;

const runOf = ({ cwd }: Ended): ReturnType<typeof readRun> => readRun(join(cwd, "tuned", "run.jsonl"));

describe.skipIf(!hasServer)(`mezo tune --cluster and mezo worker${needsServer}`, () => {
  test("make the run of one process together, by its name, and all of them end with it", async () => {
    const alone = command("main", [...asked, "--threads", "1", "--micro-batch-size", "2"]);
    expect(alone.status).toBe(0);
    const server = await startServer();
    const workers = [work(server.url, "--once"), work(server.url, "--run", "reviews")];
    const cluster = ["--cluster", server.url, "--shards", "2", "--patience", "5", "--run", "reviews"];
    const together = await started(...asked, ...cluster).ended;
    expect(together.stderr).not.toMatch(/Error/);
    expect(together.status).toBe(0);
    expect(together.stdout).toBe(alone.stdout);
    expect(diff(runOf(together), runOf(alone))).toBeUndefined();
    for (const { ended } of workers) expect((await ended).status).toBe(0);

    const again = await started(...asked, ...cluster).ended; // the cluster has it: no worker is there
    expect(again.status).toBe(0);
    expect(diff(runOf(again), runOf(alone))).toBeUndefined();
    const other = await started(...asked, ...cluster, "--seed", "2").ended;
    expect(other.status).toBe(1);
    expect(sentenceOf(other)).toMatch(
      /^Run reviews was to be gone on with in the cluster, but it is another one there: .*seed/,
    );
    await server.kill();
  });

  test("end where they are told to: a worker that is interrupted with 0, a coordinator with what resumes it", async () => {
    const server = await startServer();
    const port = await natsPort(server.url);
    const [worker, coordinator] = [work(server.url), started(...asked, "--cluster", server.url, "--steps", "100000")];
    while ((await port.offers()).length === 0) await port.sleep(0.05);
    const { run } = (await port.offers())[0]!;
    while ((await port.lines(run)).length < 5) await port.sleep(0.05);
    coordinator.child.kill("SIGINT");
    const { status, stderr } = await coordinator.ended;
    expect(status).toBe(130);
    expect(stderr.trim().split("\n").at(-1)).toMatch(/^Interrupted: .*--resume/);
    worker.child.kill("SIGTERM");
    expect((await worker.ended).status).toBe(0);
    await port.close();
    await server.kill();
  });

  test("refuse a worker of another base that is to work for one run, with both hashes", async () => {
    const other = tinyModel({ tensors: tinyTensors().map((one) => ({ ...one, data: one.data.map((x) => 2 * x) })) });
    const server = await startServer();
    const [coordinator, stranger] = [
      started(...asked, "--cluster", server.url, "--run", "one"),
      started("worker", "--cluster", server.url, "--model", other, "--run", "one"),
    ];
    const refused = await stranger.ended;
    expect(refused.status).toBe(1);
    expect(sentenceOf(refused)).toMatch(
      /with the weights [0-9a-f]{16}, but .* with the weights [0-9a-f]{16} was given/,
    );
    await work(server.url, "--once").ended;
    expect((await coordinator.ended).status).toBe(0);
    await server.kill();
  });

  test("end with a sentence where the rows are not there, though the cluster was joined", async () => {
    const server = await startServer();
    const missing = await started(...asked, "--cluster", server.url, "--data", join(folder(), "none.csv")).ended;
    expect(missing.status).toBe(1);
    expect(sentenceOf(missing)).toMatch(/none\.csv/);
    await server.kill();
  });
});

describe("in a sentence and with 1 end", () => {
  test.each<[string, string[], RegExp]>([
    [
      "a worker without a cluster",
      ["worker"],
      /required option '--cluster <address>' not specified; mezo worker --help/,
    ],
    [
      "a worker of an address that is none",
      ["worker", "--cluster", "http://host"],
      /^"http:\/\/host" is no address of a cluster/,
    ],
    ["a worker where no server is", ["worker", "--cluster", nobody], /^The cluster at .* no NATS server answers there/],
    ["a run where no server is", [...asked, "--cluster", nobody], /^The cluster at .* no NATS server answers there/],
    ["a run in no shards", [...asked, "--cluster", nobody, "--shards", "0"], /--shards.*whole number of at least 1/],
    ["a run without patience", [...asked, "--cluster", nobody, "--patience", "0"], /--patience/],
    [
      "shards without a cluster",
      [...asked, "--shards", "2"],
      /^--shards was given without a cluster: name one with --cluster\.$/,
    ],
    [
      "a run by gradients",
      [...asked, "--cluster", nobody, "--method", "ft"],
      /^FT was to be computed by a cluster, which computes losses/,
    ],
    [
      "a run of a probe",
      [...asked, "--cluster", nobody, "--method", "lp"],
      /^LP was to be computed by a cluster.*take a method such as mezo/,
    ],
    [
      "a name and patience without one",
      [...asked, "--run", "a", "--patience", "2"],
      /^--run, --patience was given without/,
    ],
  ])("%s", (_what, args, why) => {
    const ended = command("main", args);
    expect(ended.status).toBe(1);
    expect(sentenceOf(ended)).toMatch(why);
    expect(existsSync(join(ended.cwd, "tuned"))).toBe(false);
  });

  test
    .skipIf(!hasServer)
    .each<[string, string[], RegExp]>([
      ["a run of a name with a dot", ["--run", "a.b"], /^"a\.b" is no name for a run in a cluster/],
    ])(`%s${needsServer}`, async (_what, args, why) => {
    const server = await startServer();
    const ended = await started(...asked, "--cluster", server.url, ...args).ended;
    expect(ended.status).toBe(1);
    expect(sentenceOf(ended)).toMatch(why);
    await server.kill();
  });
});
