import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { KitError } from "../../src/error.ts";
import { type LoadTaskOptions, loadTask } from "../../src/tasks/load.ts";
import type { Task } from "../../src/tasks/task.ts";
import { commitOf, type FakeHub, type FakeHubOptions, startFakeHub } from "../checkpoints/fakeHub.ts";
import { temporaryFolder } from "../checkpoints/files.ts";
import { parquetFiles } from "./parquetFiles.ts";

beforeEach(() => {
  for (const name of ["HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
    vi.stubEnv(name, undefined);
  vi.stubEnv("HF_HOME", join(temporaryFolder(), "home"));
  vi.stubEnv("HF_HUB_CACHE", temporaryFolder());
  vi.stubEnv("HF_ENDPOINT", "http://127.0.0.1:2"); // nothing listens there
});
afterEach(() => vi.unstubAllEnvs());

/** Starts a hub with one data set and makes it the one that is asked. */
async function useHub(revisions: FakeHubOptions["revisions"], more: Partial<FakeHubOptions> = {}): Promise<FakeHub> {
  const hub = await startFakeHub({ revisions, type: "dataset", ...more });
  vi.stubEnv("HF_ENDPOINT", hub.hubUrl);
  return hub;
}

/** JSON Lines of SST-2's columns, `rows` of them, none of which another word makes. */
const lines = (rows: number, word: string): string =>
  Array.from({ length: rows }, (_, i) => JSON.stringify({ sentence: `${word} ${i}`, label: i % 2 })).join("\n");

const unlabelled = lines(4, "hidden").replaceAll(/"label":\d/g, '"label":-1');

/** A Parquet file of two rows, "a fine film" and "dull , dull", its pages packed in one way or another. */
const parquet = (packed = "pyarrow, zstd"): Buffer => Buffer.from(parquetFiles[packed]!, "base64");

const load = (data = "hf:org/tiny", options: LoadTaskOptions = {}): Promise<Task> =>
  loadTask("SST-2", { data, train: 2, dev: 2, test: 2, ...options });

/** The first words of a part's rows, which say which file they are of. */
const wordsOf = (part: Task["train"]): string[] =>
  [...new Set(part.map(({ autoregressive }) => autoregressive!.prompt.split(/\s/)[0]!))].sort();

const messageOf = async (promise: Promise<unknown>): Promise<string> => {
  const error: unknown = await promise.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(KitError);
  return (error as KitError).message;
};

const standard = {
  "README.md": "#",
  "data/train-00000-of-00002-0123456789abcdef.jsonl": lines(3, "first"),
  "data/train-00001-of-00002-0123456789abcdef.jsonl": lines(3, "second"),
  "data/validation-00000-of-00001-fedcba9876543210.jsonl": lines(4, "validation"),
  "data/test-00000-of-00001-fedcba9876543210.jsonl": unlabelled,
};

describe("a data set on the hub", () => {
  test("is downloaded into the cache with its splits mapped, and read offline afterwards", async () => {
    const hub = await useHub({ main: standard });
    const task = await load("hf:org/tiny", { train: 4 });
    expect([wordsOf(task.train), wordsOf(task.dev), wordsOf(task.test)]).toEqual([
      ["first", "second"],
      ["first", "second"],
      ["validation"],
    ]);
    expect(hub.requests.filter(({ url }) => url.includes("README"))).toEqual([]);
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    const before = hub.requests.length;
    expect(await load("hf:org/tiny", { train: 4 })).toEqual(task);
    expect(hub.requests).toHaveLength(before);
  });

  test("is named in the run's header by its place on the hub and its commit, and by no path of this machine", async () => {
    await useHub({ main: standard });
    const { data } = await load();
    expect(data).toEqual({
      files: [
        "hf:org/tiny/data/train-00000-of-00002-0123456789abcdef.jsonl",
        "hf:org/tiny/data/validation-00000-of-00001-fedcba9876543210.jsonl",
      ],
      revision: commitOf("main"),
      sha256: expect.stringMatching(/^[0-9a-f]{12}$/),
      rows: 10,
    });
  });

  test.each<[string, Record<string, string | Buffer>]>([
    [
      "Parquet",
      { "data/train-00000-of-00001.parquet": parquet(), "data/validation-00000-of-00001.parquet": parquet() },
    ],
    [
      "files at its root",
      { "train.jsonl": lines(4, "train"), "dev.jsonl": lines(4, "dev"), "dataset_infos.json": "{}" },
    ],
    ["CSV", { "train.csv": "sentence,label\na,0\nb,1\nc,0\nd,1", "test.csv": "sentence,label\ne,0\nf,1" }],
    ["packed files", { "train.jsonl.gz": gzipSync(lines(4, "train")), "test.jsonl.gz": gzipSync(lines(4, "test")) }],
    [
      "a single configuration",
      { "plain_text/train-00000-of-00001.jsonl": lines(4, "a"), "plain_text/test.jsonl": lines(4, "b") },
    ],
    [
      "one file",
      { "reviews.csv": `sentence,label\n${Array.from({ length: 9 }, (_, i) => `text ${i},${i % 2}`).join("\n")}` },
    ],
    ["a train file alone", { "train.jsonl": lines(9, "train") }],
  ])("has %s", async (_, files) => {
    await useHub({ main: { "README.md": "#", ...files } });
    const { train, dev, test: tested } = await load("hf:org/tiny", { train: 1, dev: 1, test: 1 });
    expect([train.length, dev.length, tested.length]).toEqual([1, 1, 1]);
  });

  test("of several configurations is read where one is named, from Parquet files in the hub's own branch too", async () => {
    const configs = {
      "cola/train/0000.parquet": parquet(),
      "cola/validation/0000.parquet": parquet(),
      "sst2/train/0000.parquet": parquet("pyarrow, gzip"),
      "sst2/train/0001.parquet": parquet("pyarrow, brotli"),
      "sst2/validation/0000.parquet": parquet("duckdb (snappy)"),
      "sst2/partial-test/0000.parquet": parquet(),
    };
    const hub = await useHub({ main: { "glue.py": "code" }, "refs/convert/parquet": configs });
    const task = await load("hf:org/tiny/sst2");
    expect(task.data).toMatchObject({
      files: ["hf:org/tiny/sst2/train/0000.parquet", "hf:org/tiny/sst2/validation/0000.parquet"],
      revision: commitOf("refs/convert/parquet"),
      rows: 6,
    });
    const files = hub.requests.map(({ url }) => url.split("/resolve/")[1]).filter((file) => file !== undefined);
    expect(files.map((file) => file.slice(41))).toEqual([
      "sst2/validation/0000.parquet",
      "sst2/train/0001.parquet",
      "sst2/train/0000.parquet",
    ]);
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await load("hf:org/tiny/sst2")).toEqual(task);
    vi.stubEnv("HF_HUB_OFFLINE", undefined);
    const where = "Downloading the data set org/tiny at revision main or refs/convert/parquet: the hub has";
    expect(await messageOf(load())).toBe(
      `${where} 2 configurations of it; name one of hf:org/tiny/cola, hf:org/tiny/sst2.`,
    );
    expect(await messageOf(load("hf:org/tiny/wnli"))).toBe(
      `${where} no configuration wnli of it; name one of hf:org/tiny/cola, hf:org/tiny/sst2.`,
    );
  });

  test("is taken from the cache without a configuration only where it has none", async () => {
    await useHub({
      main: { "a/train.jsonl": lines(9, "a"), "a/test.jsonl": lines(9, "a"), "b/train.jsonl": lines(9, "b") },
    });
    await load("hf:org/tiny/a");
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await messageOf(load())).toMatch(
      /^Looking for the data set org\/tiny: the cache .* does not hold it completely/,
    );
  });

  test("has its revision in its name, or by an option", async () => {
    await useHub({ main: standard, v2: { "train.jsonl": lines(4, "newer"), "test.jsonl": lines(4, "newest") } });
    for (const task of [await load("hf:org/tiny@v2"), await load("hf:org/tiny", { revision: "v2" })]) {
      expect([wordsOf(task.train), wordsOf(task.test)]).toEqual([["newer"], ["newest"]]);
      expect(task.data.revision).toBe(commitOf("v2"));
    }
    expect(await messageOf(load("hf:org/tiny@v3"))).toMatch(
      /404: the data set has no revision v3; see .*\/datasets\/org\/tiny/,
    );
    expect(await messageOf(load("samples", { revision: "v2" }))).toMatch(/have no revision v2: leave it out/);
  });

  const files = Object.keys(standard).filter((name) => name.startsWith("data/"));
  test.each(files)("whose download was cut short is not taken for whole: without %s", async (file) => {
    await useHub({ main: standard }, { faults: { [file]: [{ status: 404 }] } });
    expect(await messageOf(load())).toMatch(/the hub answered 404/);
    const snapshots = join(process.env.HF_HUB_CACHE!, "datasets--org--tiny", "snapshots");
    expect(existsSync(join(snapshots, commitOf("main"), file))).toBe(false);
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await messageOf(load())).toMatch(/does not hold it completely, and HF_HUB_OFFLINE forbids/);
    vi.stubEnv("HF_HUB_OFFLINE", undefined);
    expect((await load()).data.rows).toBe(10);
    expect(readdirSync(join(snapshots, commitOf("main"), "data"))).toHaveLength(4);
  });

  test("that is gated needs a token, which goes to the hub alone", async () => {
    const other = await startFakeHub({ revisions: { main: standard }, type: "dataset" });
    const file = "data/test-00000-of-00001-fedcba9876543210.jsonl";
    const hub = await useHub(
      { main: standard },
      { token: "hf_mine", faults: { [file]: [{ redirect: other.hubUrl }] } },
    );
    vi.stubEnv("HF_TOKEN", "hf_other");
    expect(await messageOf(load())).toMatch(
      /token in HF_TOKEN has no access to its files; ask for access at .*\/datasets\/org\/tiny/,
    );
    hub.requests.length = 0;
    const task = await load("hf:org/tiny", { token: "hf_mine" });
    expect(wordsOf(task.test)).toEqual(["validation"]);
    expect(new Set(hub.requests.map(({ authorization }) => authorization))).toEqual(new Set(["Bearer hf_mine"]));
    expect(other.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  test("reports its download", async () => {
    await useHub({ main: standard });
    const events: object[] = [];
    await load("hf:org/tiny", { onProgress: (event) => events.push(event) });
    const total = Object.entries(standard).reduce(
      (sum, [name, { length }]) => sum + (/jsonl/.test(name) ? length : 0),
      0,
    );
    expect(events.at(-1)).toMatchObject({ label: "downloading", done: total, total });
  });
});

test("of a name without an owner the hub's own address is followed", async () => {
  await useHub({ main: standard }, { alias: "tiny-set" });
  expect((await load("hf:tiny-set")).data.files[0]).toMatch(/^hf:tiny-set\/data\/train/);
});

test("what is no name on the hub, is not there, or has nothing to read is said", async () => {
  await useHub({ main: { "README.md": "#", "script.py": "code" } });
  expect(await messageOf(load("hf:../x"))).toMatch(
    /^Looking for the data set hf:\.\.\/x: that is no name on the hub; give/,
  );
  expect(await messageOf(load("hf:org/none"))).toMatch(/404: no such public data set or revision; correct the name/);
  expect(await messageOf(load())).toMatch(
    /the hub has no train file of it that the kit reads \(Parquet, .*\); download/,
  );
  expect(await messageOf(load("stanfordnlp/sst2"))).toBe(
    "There is no data folder or file stanfordnlp/sst2; check its path, or give hf:stanfordnlp/sst2 for a data set on the hub.",
  );
});
