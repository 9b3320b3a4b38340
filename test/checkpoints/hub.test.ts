import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { parseCachedPath } from "../../src/checkpoints/hub/cache.ts";
import type { DownloadProgress } from "../../src/checkpoints/hub/download.ts";
import { findHubCache, findToken, hubFetch, readHubAddress, silenceLimit } from "../../src/checkpoints/hub/request.ts";
import { type ResolveModelOptions, resolveModel } from "../../src/checkpoints/hub/resolve.ts";
import { COMPANIONS } from "../../src/checkpoints/modelFiles.ts";
import { KitError } from "../../src/error.ts";
import { commitOf, type FakeHub, type FakeHubOptions, type Fault, startFakeHub } from "./fakeHub.ts";
import { temporaryFolder } from "./files.ts";

const common = { "config.json": "{}", "vocab.json": '{"a":0}', "merges.txt": "a b" };
const weights = "weights ".repeat(1 << 18); // so long that of a half that was sent some has arrived, whatever was still on its way
const whole = { ...common, "model.safetensors": weights };

/** Whatever the variables of this process say, the tests' hub is nowhere, and nobody is known to it, unless they say otherwise. */
beforeEach(() => {
  const variables = [
    ...["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"],
    ...["HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_DISABLE_IMPLICIT_TOKEN", "HF_HUB_DOWNLOAD_TIMEOUT"],
  ];
  for (const name of variables) vi.stubEnv(name, undefined);
  vi.stubEnv("HF_HOME", join(temporaryFolder(), "home"));
  vi.stubEnv("HF_ENDPOINT", "http://127.0.0.1:2"); // nothing listens there
});
afterEach(() => vi.unstubAllEnvs());

/** Makes a new cache folder the one that is looked into. */
function newCache(): string {
  const cacheFolder = temporaryFolder();
  vi.stubEnv("HF_HUB_CACHE", cacheFolder);
  return cacheFolder;
}

/** A cache that holds one revision of a model, as the Hugging Face libraries lay it out. */
function cacheWith(files: Record<string, string>, revision = "main", id = "org/tiny"): string {
  const cacheFolder = newCache();
  addSnapshot(cacheFolder, files, revision, id);
  const ref = join(cacheFolder, `models--${id.replace("/", "--")}`, "refs", revision);
  mkdirSync(join(ref, ".."), { recursive: true });
  writeFileSync(ref, commitOf(revision));
  return cacheFolder;
}

function addSnapshot(cacheFolder: string, files: Record<string, string>, revision: string, id = "org/tiny"): void {
  const snapshot = snapshotOf(cacheFolder, revision, id);
  mkdirSync(snapshot, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(snapshot, name), content);
}

function snapshotOf(cacheFolder: string, revision = "main", id = "org/tiny"): string {
  return join(cacheFolder, `models--${id.replace("/", "--")}`, "snapshots", commitOf(revision));
}

/** Starts a hub and makes it the one that is asked. */
async function useHub(options: FakeHubOptions): Promise<FakeHub> {
  const hub = await startFakeHub(options);
  vi.stubEnv("HF_ENDPOINT", hub.hubUrl);
  return hub;
}

async function messageOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => new Error("nothing was thrown"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(KitError);
  expect((error as Error).message).not.toContain("\n");
  return (error as Error).message;
}

/** Options under which nothing is waited for, and the list of the seconds that would have been. */
function impatient(): { options: ResolveModelOptions; waits: number[] } {
  const waits: number[] = [];
  const wait = async (seconds: number): Promise<void> => {
    waits.push(seconds);
  };
  return { options: { wait }, waits };
}

const resolved = (options?: ResolveModelOptions): Promise<string> => resolveModel("org/tiny", options);
const read = (folder: string, name = "model.safetensors"): string => readFileSync(join(folder, name), "utf8");
const blobsIn = (cacheFolder: string): string[] => readdirSync(join(cacheFolder, "models--org--tiny", "blobs"));

test("an existing folder is returned", async () => {
  const folder = temporaryFolder();
  expect(await resolveModel(folder)).toBe(folder);
});

test.each([
  "./models/none",
  "/no/such/folder",
  "a/b/c",
  "../no-such-folder",
  "models/",
  "a--b",
  "name.",
  "my model",
  "",
])('what can be neither a folder nor a hub id is refused without asking the hub: "%s"', async (text) => {
  const { requests } = await useHub({ revisions: { main: whole } });
  const start = `Looking for the model ${text}: there is no such folder, and it is not a hub id such as roberta-large or facebook/opt-125m; `;
  expect(await messageOf(resolveModel(text))).toBe(`${start}give one of them.`);
  expect(await messageOf(resolveModel(text, { near: "models/one" }))).toBe(`${start}did you mean models/one?`);
  expect(requests).toEqual([]);
});

test("a file of weights is returned, and any other is not a model", async () => {
  const weightsFile = join(temporaryFolder(), "model.Q4_1.gguf");
  writeFileSync(weightsFile, "weights");
  expect(await resolveModel(weightsFile)).toBe(weightsFile);
  const file = join(temporaryFolder(), "notes.txt");
  writeFileSync(file, "notes");
  expect(await messageOf(resolveModel(file))).toMatch(/: it is a file; give the folder that holds/);
});

describe("the cache", () => {
  test.each(["org/tiny", "tiny"])("needs no network for a model that it holds completely: %s", async (id) => {
    const cacheFolder = cacheWith(whole, "main", id);
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    const found = await resolveModel(id);
    expect(found).toBe(snapshotOf(cacheFolder, "main", id));
    expect(parseCachedPath(found)).toEqual({ id, commit: commitOf("main") });
    const inside = { id, commit: commitOf("main"), inside: "a/b.gguf" };
    expect(parseCachedPath(join(found, "a", "b.gguf"))).toEqual(inside);
    expect(parseCachedPath(cacheFolder)).toBeUndefined();
  });

  test("has a revision by its name and by its commit", async () => {
    const found = snapshotOf(cacheWith(whole, "v2"), "v2");
    expect(await resolved({ revision: "v2" })).toBe(found);
    expect(await resolved({ revision: commitOf("v2") })).toBe(found);
    expect(await messageOf(resolved({ revision: "v3" }))).toMatch(/cannot be reached/);
  });

  test("without a main gives its only snapshot, and of several none", async () => {
    const cacheFolder = newCache();
    addSnapshot(cacheFolder, whole, "one");
    expect(await resolved()).toBe(snapshotOf(cacheFolder, "one"));
    addSnapshot(cacheFolder, whole, "two");
    expect(await messageOf(resolved())).toMatch(
      /holds 2 snapshots of it, none of them complete under refs\/main, and /,
    );
  });

  test("is complete with sharded weights only if it has every shard", async () => {
    const index = JSON.stringify({ weight_map: { a: "model-1-of-2.safetensors", b: "model-2-of-2.safetensors" } });
    const shards = { ...common, "model.safetensors.index.json": index, "model-1-of-2.safetensors": "" };
    const cacheFolder = cacheWith({ ...shards, "model-2-of-2.safetensors": "" });
    expect(await resolved()).toBe(snapshotOf(cacheFolder));
    cacheWith(shards);
    expect(await messageOf(resolved())).toMatch(/does not hold it completely/);
  });
});

test("without cache and network the error says what was tried, why it failed and what to do, at once", async () => {
  const cacheFolder = newCache();
  const { options, waits } = impatient();
  expect(await messageOf(resolved({ ...options, near: "tiny-opt" }))).toBe(
    `Looking for the model org/tiny: there is no such folder, the cache ${cacheFolder} does not hold it completely, and the hub ` +
      "http://127.0.0.1:2 cannot be reached (connect ECONNREFUSED 127.0.0.1:2); " +
      "give a folder in Hugging Face layout, or name no model to use the bundled one (did you mean tiny-opt?).",
  );
  expect(waits).toEqual([]);
  expect(readdirSync(cacheFolder)).toEqual([]);
});

test.each(["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])("%s forbids every request", async (variable) => {
  const { requests } = await useHub({ revisions: { main: whole } });
  vi.stubEnv(variable, "1");
  newCache();
  expect(await messageOf(resolved())).toMatch(/and HF_HUB_OFFLINE forbids asking the hub; unset it/);
  expect(requests).toEqual([]);
});

test("a download takes only the files that the kit reads, reports its progress and is found offline afterwards", async () => {
  const others = {
    "pytorch_model.bin": "pickle",
    "README.md": "#",
    "adapter.safetensors": "other",
    "onnx/model.onnx": "x",
  };
  const wanted = { ...whole, ...Object.fromEntries(COMPANIONS.map((name) => [name, name])) };
  const { requests } = await useHub({ revisions: { main: { ...wanted, ...others } } });
  const cacheFolder = newCache();
  const progress: DownloadProgress[] = [];
  const folder = await resolved({ onProgress: (now) => progress.push(now) });
  expect(folder).toBe(snapshotOf(cacheFolder));
  expect(readdirSync(folder).sort()).toEqual(Object.keys(wanted).sort());
  for (const [name, content] of Object.entries(wanted)) expect(read(folder, name)).toBe(content);
  const totalBytes = Object.values(wanted).join("").length;
  expect(progress.at(-1)).toMatchObject({ bytes: totalBytes, totalBytes });
  expect(requests.filter(({ url }) => /bin|README|adapter/.test(url))).toEqual([]);
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  expect(await resolved()).toBe(folder);
});

test("an id of one name that the hub sends on to its owner's is downloaded under the name that was asked for", async () => {
  await useHub({ revisions: { main: whole }, alias: "tiny-large" });
  const cacheFolder = newCache();
  const folder = await resolveModel("tiny-large");
  expect(folder).toBe(snapshotOf(cacheFolder, "main", "tiny-large"));
  expect(read(folder)).toBe(weights);
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  expect(await resolveModel("tiny-large")).toBe(folder);
});

test("a cache that cannot be written is an error that says what to do", async () => {
  await useHub({ revisions: { main: whole } });
  const file = join(temporaryFolder(), "file");
  writeFileSync(file, "");
  vi.stubEnv("HF_HUB_CACHE", join(file, "cache"));
  expect(await messageOf(resolved())).toMatch(
    /the download cannot be written \(ENOTDIR: .*\); make room, or name another cache folder in HF_HUB_CACHE/,
  );
});

test("a slash at the end of HF_ENDPOINT changes nothing", async () => {
  const { hubUrl, requests } = await useHub({ revisions: { main: whole } });
  vi.stubEnv("HF_ENDPOINT", `${hubUrl}/`);
  newCache();
  expect(read(await resolved())).toBe(weights);
  expect(requests.filter(({ url }) => url.startsWith("//"))).toEqual([]);
});

test("a model whose config.json is refused costs no weights", async () => {
  const { requests } = await useHub({ revisions: { main: whole } });
  newCache();
  const accept = (path: string): void => {
    throw new KitError(`refused: ${readFileSync(path, "utf8")}`);
  };
  expect(await messageOf(resolved({ accept }))).toBe("refused: {}");
  expect(requests.filter(({ url }) => url.endsWith(".safetensors"))).toEqual([]);
});

describe("of a model's weights", () => {
  const index = (...shards: string[]) => JSON.stringify({ weight_map: Object.fromEntries(shards.entries()) });
  const safetensors = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
  const bins = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"];
  const bin = { "pytorch_model.bin": weights };
  const sharded = {
    "pytorch_model.bin.index.json": index(...bins),
    ...Object.fromEntries(bins.map((name) => [name, name])),
  };
  const split = {
    "model.safetensors.index.json": index(...safetensors),
    ...Object.fromEntries(safetensors.map((name) => [name, name])),
  };
  const gguf = { "tiny.Q4_1.gguf": weights };

  test.each([
    [
      "safetensors, in one file before several",
      { ...split, ...bin, ...gguf, "model.safetensors": weights },
      ["model.safetensors"],
    ],
    ["safetensors in several files before PyTorch's", { ...split, ...bin, ...sharded }, Object.keys(split)],
    ["PyTorch's file before GGUF", { ...bin, ...sharded, ...gguf }, Object.keys(bin)],
    ["PyTorch's several files", { ...sharded, ...gguf }, Object.keys(sharded)],
  ])("those are downloaded that come first, and found offline: %s", async (_, files, chosen) => {
    const hub = await useHub({ revisions: { main: { ...common, ...files } } });
    newCache();
    const folder = await resolved();
    expect(readdirSync(folder).sort()).toEqual([...Object.keys(common), ...chosen].sort());
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    const before = hub.requests.length;
    expect(await resolved()).toBe(folder);
    expect(hub.requests).toHaveLength(before);
  });

  test("the cache is complete with PyTorch's files only if it has every one", async () => {
    const { [bins[1]!]: _, ...torn } = sharded as Record<string, string>;
    cacheWith({ ...common, ...torn });
    expect(await messageOf(resolved())).toMatch(/does not hold it completely/);
  });

  test("a GGUF file is the model where it is the only one, and is found offline", async () => {
    await useHub({ revisions: { main: { ...gguf, "README.md": "#" } } });
    const cacheFolder = newCache();
    const file = await resolved();
    expect(file).toBe(join(snapshotOf(cacheFolder), "tiny.Q4_1.gguf"));
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await resolved()).toBe(file);
    expect(await resolveModel("org/tiny/tiny.Q4_1.gguf")).toBe(file);
  });

  test("of several GGUF files the one that is named is downloaded, and without a name they are listed", async () => {
    const several = { ...gguf, "tiny.Q8_0.gguf": "eight bits", "parts/tiny.F16.gguf": "halves" };
    const hub = await useHub({ revisions: { main: several, v2: { ...several, "tiny.Q8_0.gguf": "changed" } } });
    const cacheFolder = newCache();
    expect(await messageOf(resolved())).toBe(
      "Downloading the model org/tiny at revision main: the hub has 3 GGUF files of it; name one of org/tiny/parts/tiny.F16.gguf, org/tiny/tiny.Q4_1.gguf, org/tiny/tiny.Q8_0.gguf.",
    );
    expect(await messageOf(resolveModel("org/tiny/tiny.Q2_K.gguf"))).toMatch(
      /the hub has no file tiny\.Q2_K\.gguf of it; name one/,
    );
    expect(read(await resolveModel("org/tiny/tiny.Q8_0.gguf"), "")).toBe("eight bits");
    expect(read(await resolveModel("org/tiny/parts/tiny.F16.gguf"), "")).toBe("halves");
    expect(read(await resolveModel("org/tiny/tiny.Q8_0.gguf@v2"), "")).toBe("changed");
    expect(hub.requests.filter(({ url }) => url.endsWith("Q4_1.gguf"))).toEqual([]);
    expect(readdirSync(snapshotOf(cacheFolder)).sort()).toEqual(["parts", "tiny.Q8_0.gguf"]);
  });

  test("none that the kit reads is an error that says what to do", async () => {
    await useHub({ revisions: { main: { ...common, "tf_model.h5": "x" } } });
    newCache();
    expect(await messageOf(resolved())).toBe(
      "Downloading the model org/tiny at revision main: the hub has no weights of it that the kit reads (model.safetensors, pytorch_model.bin or a GGUF file); convert the model and give its folder.",
    );
  });
});

describe("a revision", () => {
  const revisions = {
    main: whole,
    v2: { ...whole, "model.safetensors": "second" },
    "refs/pr/7": { ...whole, "model.safetensors": "seventh" },
  };

  test.each([
    ["by an option", "org/tiny", "v2", "second"],
    ["in the name", "org/tiny@v2", undefined, "second"],
    ["in both", "org/tiny@v2", "v2", "second"],
    ["by a commit", `org/tiny@${commitOf("v2")}`, undefined, "second"],
    ["of a pull request", "org/tiny@refs/pr/7", undefined, "seventh"],
    ["of none", "org/tiny", undefined, weights],
  ])("is chosen %s, and found offline", async (_, name, revision, content) => {
    await useHub({ revisions });
    newCache();
    const folder = await resolveModel(name, { revision });
    expect(read(folder)).toBe(content);
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await resolveModel(name, { revision })).toBe(folder);
  });

  test("that is not the one in the name, that is none, and that of a folder are refused", async () => {
    const { requests } = await useHub({ revisions });
    newCache();
    expect(await messageOf(resolveModel("org/tiny@v2", { revision: "v3" }))).toBe(
      "Looking for org/tiny@v2: the name gives the revision v2 and the option v3; give one of them.",
    );
    for (const none of ["../../x", "", "a b", "/x", ".hidden"]) {
      expect(await messageOf(resolved({ revision: none }))).toMatch(/is no revision; give a branch, a tag or a commit/);
      expect(await messageOf(resolveModel(`org/tiny@${none}`))).toMatch(/is no revision; give/);
    }
    expect(await messageOf(resolveModel(temporaryFolder(), { revision: "v2" }))).toMatch(
      /at revision v2: it lies on this machine, where models have no revisions; leave the revision out\.$/,
    );
    expect(requests).toEqual([]);
  });

  test("that the cache does not hold is not taken from another one", async () => {
    cacheWith(whole);
    expect(await messageOf(resolveModel("org/tiny@v2"))).toMatch(/cannot be reached/);
  });
});

test("a list of files that goes on at another address is read to its end", async () => {
  const { requests } = await useHub({ revisions: { main: whole }, pageSize: 1 });
  newCache();
  expect(read(await resolved())).toBe(weights);
  expect(requests.filter(({ url }) => url.includes("/tree/"))).toHaveLength(4);
});

test("a model or revision that the hub does not know is named as such", async () => {
  await useHub({ revisions: { main: whole } });
  newCache();
  expect(await messageOf(resolveModel("none", { near: "nine" }))).toMatch(
    /the hub answered 404: no such public model or revision; correct the name, .* \(did you mean nine\?\)\.$/,
  );
  expect(await messageOf(resolved({ revision: "v9" }))).toMatch(/the hub answered 404: the model has no revision v9;/);
});

test.each(["commits", "contents"] as const)(
  "a hub that answers with paths instead of ids of %s is refused",
  async (lies) => {
    await useHub({ revisions: { main: whole }, lies });
    const cacheFolder = newCache();
    expect(await messageOf(resolved())).toMatch(/answered "..\/..\/x" where an object id/);
    expect(readdirSync(cacheFolder)).toEqual([]);
  },
);

describe("a download that is disturbed", () => {
  const FILE = "model.safetensors";
  const disturbed = (...faults: Fault[]) => useHub({ revisions: { main: whole }, faults: { [FILE]: faults } });
  /** Where the requests for the file began. */
  const starts = ({ requests }: FakeHub) =>
    requests.filter(({ url }) => url.endsWith(FILE)).map(({ range }) => Number(/\d+/.exec(range ?? "0")));

  test("by a cut connection continues from the bytes that have arrived", async () => {
    const hub = await disturbed("cut", "cut");
    newCache();
    const { options, waits } = impatient();
    expect(read(await resolved(options))).toBe(weights);
    const [first, second, third] = starts(hub);
    expect([first, second! > 0, third! > second!, starts(hub).length]).toEqual([0, true, true, 3]);
    expect(waits).toEqual([1, 1]); // each brought something, so that the count began again
  });

  test("by silence asks again after the time that HF_HUB_DOWNLOAD_TIMEOUT names, and says that it waits", async () => {
    const hub = await disturbed("stall");
    newCache();
    vi.stubEnv("HF_HUB_DOWNLOAD_TIMEOUT", "1");
    const { options, waits } = impatient();
    const progress: DownloadProgress[] = [];
    expect(read(await resolved({ ...options, onProgress: (now) => progress.push(now) }))).toBe(weights);
    expect(starts(hub).at(-1)).toBeGreaterThan(0);
    expect(waits[0]).toBe(1);
    expect(progress).toContainEqual(expect.objectContaining({ file: FILE, waitSeconds: 1 }));
  });

  test("in every try ends after five that brought nothing, keeps what arrived, and a later process continues", async () => {
    const broken = await disturbed("cut", ...Array.from({ length: 9 }, () => ({ status: 503 })));
    const cacheFolder = newCache();
    const { options, waits } = impatient();
    expect(await messageOf(resolved(options))).toMatch(
      /failed \(it answered 503\); try again: what has arrived is kept/,
    );
    expect(starts(broken)).toHaveLength(5);
    expect(waits).toEqual([1, 2, 4, 8]);
    expect(existsSync(join(snapshotOf(cacheFolder), FILE))).toBe(false);
    expect(blobsIn(cacheFolder).filter((name) => name.endsWith(".incomplete"))).toHaveLength(1);
    const hub = await disturbed();
    expect(read(await resolved())).toBe(weights);
    expect(starts(hub)).toEqual([starts(broken).at(-1)]);
    expect(starts(hub)[0]).toBeGreaterThan(0);
    expect(hub.requests.filter(({ url }) => url.includes("/resolve/"))).toHaveLength(1);
    expect(blobsIn(cacheFolder).filter((name) => name.endsWith(".incomplete"))).toEqual([]);
  });

  test("by a hub that is busy waits as long as that asks for", async () => {
    await disturbed({ status: 429, headers: { "Retry-After": "7" } }, { status: 503 });
    newCache();
    const { options, waits } = impatient();
    expect(read(await resolved(options))).toBe(weights);
    expect(waits).toEqual([7, 2]);
  });

  test("by a hub that asks for an hour says so instead of waiting", async () => {
    await disturbed({ status: 429, headers: { "Retry-After": "3600" } });
    newCache();
    const { options, waits } = impatient();
    expect(await messageOf(resolved(options))).toMatch(/answered 429 and asks for a pause of 3600 seconds; try again/);
    expect(waits).toEqual([]);
  });

  test("by a hub that ignores ranges still gets the complete file", async () => {
    const hub = await disturbed("cut", "restart");
    newCache();
    expect(read(await resolved(impatient().options))).toBe(weights);
    expect(starts(hub)).toHaveLength(2);
  });

  test("by a hub that ignores ranges and breaks off each time is abandoned", async () => {
    await disturbed(...Array.from({ length: 200 }, (): Fault => "cut restart"));
    newCache();
    expect(await messageOf(resolved(impatient().options))).toMatch(
      /failed \(.+\); try again: what has arrived is kept/,
    );
  });

  test.each(["tamper", "longer"] as const)("by changed content (%s) is deleted and said", async (fault) => {
    await disturbed(fault);
    const cacheFolder = newCache();
    expect(await messageOf(resolved(impatient().options))).toMatch(
      /^Downloading from the hub: .*model\.safetensors is .* and has been deleted; start the download again/,
    );
    expect(blobsIn(cacheFolder)).toHaveLength(3); // the other files
    expect(existsSync(join(snapshotOf(cacheFolder), FILE))).toBe(false);
  });

  test("by changed content of a small file is noticed too, by Git's own id", async () => {
    await useHub({ revisions: { main: whole }, faults: { "vocab.json": ["tamper"] } });
    newCache();
    expect(await messageOf(resolved())).toMatch(/the content of vocab\.json is [0-9a-f]{40}, and the hub lists/);
  });

  test("after a damaged part was left downloads the file again", async () => {
    await disturbed("cut", { status: 404 });
    const cacheFolder = newCache();
    await messageOf(resolved(impatient().options));
    const [part] = blobsIn(cacheFolder).filter((name) => name.endsWith(".incomplete"));
    writeFileSync(join(cacheFolder, "models--org--tiny", "blobs", part!), "wxxx");
    const hub = await disturbed();
    expect(read(await resolved())).toBe(weights);
    expect(starts(hub)).toEqual([4, 0]);
  });

  test("in the list of files asks again too", async () => {
    await useHub({ revisions: { main: whole }, faults: { api: ["cut", { status: 502 }] } });
    newCache();
    const { options, waits } = impatient();
    expect(read(await resolved(options))).toBe(weights);
    expect(waits).toEqual([1, 2]);
  });

  test("twice at the same time gives one complete file", async () => {
    await disturbed("cut", "cut");
    const cacheFolder = newCache();
    const folders = await Promise.all([resolved(impatient().options), resolved(impatient().options)]);
    expect(folders.map((folder) => read(folder))).toEqual([weights, weights]);
    expect(blobsIn(cacheFolder)).toHaveLength(4);
  });
});

describe("a token", () => {
  const gated = { revisions: { main: whole }, token: "hf_mine" };

  test("opens a gated model, and goes to the hub alone, not to where it redirects", async () => {
    const other = await startFakeHub({ revisions: { main: whole } });
    const hub = await useHub({ ...gated, faults: { "model.safetensors": [{ redirect: other.hubUrl }] } });
    vi.stubEnv("HF_TOKEN", "hf_mine");
    newCache();
    expect(read(await resolved())).toBe(weights);
    expect(new Set(hub.requests.map(({ authorization }) => authorization))).toEqual(new Set(["Bearer hf_mine"]));
    expect(other.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  test("is not sent where a list of files continues at another address", async () => {
    const other = await startFakeHub({ revisions: { main: whole } });
    const hub = await startFakeHub({ revisions: { main: whole } });
    const token = { secret: "hf_mine", from: "HF_TOKEN" };
    const fetchFromHub = hubFetch({ hubUrl: hub.hubUrl, token, silenceSeconds: 30, wait: async () => {} });
    for (const { hubUrl } of [hub, other]) await fetchFromHub(`${hubUrl}/api/models/org/tiny/tree/${commitOf("main")}`);
    expect(hub.requests.map(({ authorization }) => authorization)).toEqual(["Bearer hf_mine"]);
    expect(other.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  test("that is given comes before the environment's, and is not sent on either", async () => {
    const other = await startFakeHub({ revisions: { main: whole } });
    const hub = await useHub({ ...gated, faults: { "model.safetensors": [{ redirect: other.hubUrl }] } });
    vi.stubEnv("HF_TOKEN", "hf_other");
    newCache();
    expect(read(await resolved({ token: "hf_mine" }))).toBe(weights);
    expect(new Set(hub.requests.map(({ authorization }) => authorization))).toEqual(new Set(["Bearer hf_mine"]));
    expect(other.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
    newCache();
    expect(await messageOf(resolved({ token: "hf_wrong" }))).toMatch(
      /403: the account of the token that was given has no access/,
    );
    expect(await messageOf(resolved({ token: "hf a" }))).toBe(
      "The token that was given has characters that no token has; copy it again from the hub.",
    );
  });

  test("is read from the file that the Hugging Face libraries keep it in, and HF_TOKEN comes first", () => {
    expect(findToken()).toBeUndefined();
    const file = join(temporaryFolder(), "token");
    writeFileSync(file, "hf_stored\n");
    vi.stubEnv("HF_TOKEN_PATH", file);
    expect(findToken()).toEqual({ secret: "hf_stored", from: file });
    vi.stubEnv("HF_TOKEN", "hf_given");
    expect(findToken()).toEqual({ secret: "hf_given", from: "HF_TOKEN" });
    vi.stubEnv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
    expect(findToken()).toBeUndefined();
  });

  test("that is invalid is refused, and not shown", async () => {
    vi.stubEnv("HF_TOKEN", "hf_a\nb");
    expect(await messageOf(resolved())).toBe(
      "The token in HF_TOKEN has characters that no token has; copy it again from the hub.",
    );
  });

  test("that is missing or has no access is an error that says what to do", async () => {
    const { hubUrl } = await useHub(gated);
    newCache();
    expect(await messageOf(resolved())).toMatch(
      `the hub answered 401: it gives its files only to accounts that were granted access; ask for access at ${hubUrl}/org/tiny, then set HF_TOKEN`,
    );
    vi.stubEnv("HF_TOKEN", "hf_other");
    expect(await messageOf(resolved())).toMatch(
      `the hub answered 403: the account of the token in HF_TOKEN has no access to its files; ask for access at ${hubUrl}/org/tiny`,
    );
  });

  test("that the hub does not know is named", async () => {
    await useHub({ ...gated, faults: { api: [{ status: 401 }] } });
    vi.stubEnv("HF_TOKEN", "hf_old");
    newCache();
    expect(await messageOf(resolved())).toMatch(/401: the token in HF_TOKEN is not valid, or there is no such model/);
  });
});

test.each([
  [{ HF_HUB_CACHE: "/c", HF_HOME: "/h" }, "/c"],
  [{ HF_HOME: "/h" }, join("/h", "hub")],
  [{ HF_HOME: "", XDG_CACHE_HOME: "/x" }, join("/x", "huggingface", "hub")],
  [{ HF_HUB_CACHE: "~/c", HOME: "/me" }, "/me/c"],
])("the cache folder is that of the Hugging Face libraries: %o", (variables, expected) => {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  expect(findHubCache()).toBe(expected);
});

test("empty variables leave the defaults, and an invalid HF_ENDPOINT is refused", () => {
  vi.stubEnv("HF_ENDPOINT", "");
  expect([readHubAddress(), silenceLimit()]).toEqual(["https://huggingface.co", 30]);
  vi.stubEnv("HF_HUB_DOWNLOAD_TIMEOUT", "soon");
  expect(silenceLimit()).toBe(30);
  vi.stubEnv("HF_ENDPOINT", "hub.example");
  expect(readHubAddress).toThrow(/HF_ENDPOINT is "hub\.example" where the hub's address belongs/);
});
