import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { resolveModel } from "../../src/checkpoints/hub.ts";
import { hubCacheFolder, snapshotCommit } from "../../src/checkpoints/hubCache.ts";
import type { DownloadProgress } from "../../src/checkpoints/hubDownload.ts";
import { KitError } from "../../src/error.ts";
import { commitOf, startFakeHub } from "./fakeHub.ts";
import { temporaryFolder } from "./files.ts";

const common = { "config.json": "{}", "vocab.json": "{}", "merges.txt": "a b" };
const whole = { ...common, "model.safetensors": "weights" };
const nowhere = "http://127.0.0.1:2"; // nothing listens there

/** Writes a cache that holds one revision of org/tiny, as the Hugging Face libraries lay it out. */
function cacheWith(files: Record<string, string>, revision = "main"): string {
  const cacheFolder = temporaryFolder();
  const repo = join(cacheFolder, "models--org--tiny");
  const snapshot = join(repo, "snapshots", commitOf(revision));
  mkdirSync(snapshot, { recursive: true });
  mkdirSync(join(repo, "refs", revision, ".."), { recursive: true });
  writeFileSync(join(repo, "refs", revision), commitOf(revision));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(snapshot, name), content);
  return cacheFolder;
}

function snapshotOf(cacheFolder: string, revision = "main"): string {
  return join(cacheFolder, "models--org--tiny", "snapshots", commitOf(revision));
}

async function messageOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => new Error("nothing was thrown"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(KitError);
  return (error as Error).message;
}

test("an existing folder is itself", async () => {
  const folder = temporaryFolder();
  expect(await resolveModel(folder, { hubUrl: nowhere })).toBe(folder);
});

test("what is neither a folder nor a hub id is refused without asking the hub", async () => {
  for (const text of ["./models/none", "/no/such/folder", "none", "a/b/c", "../no-such-folder", ""]) {
    expect(await messageOf(resolveModel(text, { hubUrl: nowhere }))).toBe(
      `Looking for the model ${text}: it is neither an existing folder nor a hub id such as org/name; give one of them.`,
    );
  }
});

test("a model that the cache holds whole needs no network", async () => {
  const cacheFolder = cacheWith(whole);
  const found = await resolveModel("org/tiny", { cacheFolder, hubUrl: nowhere });
  expect(found).toBe(snapshotOf(cacheFolder));
  expect(snapshotCommit(found)).toBe(commitOf("main"));
  expect(snapshotCommit(cacheFolder)).toBeUndefined();
});

test("a cached revision is found by its name and by its commit", async () => {
  const cacheFolder = cacheWith(whole, "v2");
  const found = snapshotOf(cacheFolder, "v2");
  expect(await resolveModel("org/tiny", { cacheFolder, hubUrl: nowhere, revision: "v2" })).toBe(found);
  expect(await resolveModel("org/tiny", { cacheFolder, hubUrl: nowhere, revision: commitOf("v2") })).toBe(found);
  expect(await messageOf(resolveModel("org/tiny", { cacheFolder, hubUrl: nowhere }))).toMatch(/download failed/);
});

test("sharded weights in the cache are whole only with every shard", async () => {
  const index = JSON.stringify({ weight_map: { a: "model-1-of-2.safetensors", b: "model-2-of-2.safetensors" } });
  const shards = { ...common, "model.safetensors.index.json": index, "model-1-of-2.safetensors": "" };
  const complete = cacheWith({ ...shards, "model-2-of-2.safetensors": "" });
  expect(await resolveModel("org/tiny", { cacheFolder: complete, hubUrl: nowhere })).toBe(snapshotOf(complete));
  const cacheFolder = cacheWith(shards);
  expect(await messageOf(resolveModel("org/tiny", { cacheFolder, hubUrl: nowhere }))).toMatch(/does not hold it whole/);
});

test("without cache and network the error says what was tried, why it failed and what to do", async () => {
  const cacheFolder = temporaryFolder();
  const message = await messageOf(resolveModel("org/tiny", { cacheFolder, hubUrl: nowhere }));
  expect(message).toMatch(
    /^Looking for the model org\/tiny: there is no such folder, the cache .* does not hold it whole, and the download failed \(.*ECONNREFUSED.*\); give a folder/,
  );
  expect(message).toContain(cacheFolder);
  expect(message).not.toContain("\n");
  expect(readdirSync(cacheFolder)).toEqual([]);
});

test("a download takes only the files that the kit reads, reports its progress and is found offline afterwards", async () => {
  const others = { "pytorch_model.bin": "pickle", "README.md": "#", "adapter.safetensors": "other" };
  const { hubUrl, requests } = await startFakeHub({ revisions: { main: { ...whole, ...others } } });
  const cacheFolder = temporaryFolder();
  const progress: DownloadProgress[] = [];
  const folder = await resolveModel("org/tiny", { cacheFolder, hubUrl, onProgress: (now) => progress.push(now) });
  expect(folder).toBe(snapshotOf(cacheFolder));
  expect(readdirSync(folder).sort()).toEqual(Object.keys(whole).sort());
  for (const [name, content] of Object.entries(whole)) expect(readFileSync(join(folder, name), "utf8")).toBe(content);
  const totalBytes = Object.values(whole).join("").length;
  expect(progress.at(-1)).toEqual({ file: "model.safetensors", bytes: totalBytes, totalBytes });
  expect(requests.filter((url) => /bin|README|adapter/.test(url))).toEqual([]);
  expect(await resolveModel("org/tiny", { cacheFolder, hubUrl: nowhere })).toBe(folder);
});

test("a download that breaks off leaves no such file, and the next one fetches only what is absent", async () => {
  const revisions = { main: whole };
  const cacheFolder = temporaryFolder();
  const broken = await startFakeHub({ revisions, breaks: ["model.safetensors"] });
  expect(await messageOf(resolveModel("org/tiny", { cacheFolder, hubUrl: broken.hubUrl }))).toMatch(
    /download failed \(.+\)/,
  );
  expect(existsSync(join(snapshotOf(cacheFolder), "model.safetensors"))).toBe(false);
  expect(
    readdirSync(join(cacheFolder, "models--org--tiny", "blobs")).filter((name) => name.includes("incomplete")),
  ).toEqual([]);
  const { hubUrl, requests } = await startFakeHub({ revisions });
  const folder = await resolveModel("org/tiny", { cacheFolder, hubUrl });
  expect(readFileSync(join(folder, "model.safetensors"), "utf8")).toBe("weights");
  expect(requests.some((url) => url.includes("/resolve/") && !url.endsWith("model.safetensors"))).toBe(false);
});

const conversion = {
  num: 7,
  title: "Adding `safetensors` variant of this model",
  status: "open",
  isPullRequest: true,
  author: { name: "SFconvertbot" },
};
const pickled = { main: { ...common, "pytorch_model.bin": "x" }, "refs/pr/7": whole };

test("a model with pickled weights only is taken from the hub's own conversion, and found offline afterwards", async () => {
  const { hubUrl } = await startFakeHub({
    revisions: pickled,
    discussions: [{ ...conversion, num: 3, title: "Hi" }, conversion],
  });
  const cacheFolder = temporaryFolder();
  const folder = await resolveModel("org/tiny", { cacheFolder, hubUrl });
  expect(folder).toBe(snapshotOf(cacheFolder, "refs/pr/7"));
  expect(await resolveModel("org/tiny", { cacheFolder, hubUrl: nowhere })).toBe(folder);
});

test("a conversion by anyone else is not trusted", async () => {
  const discussions = [{ ...conversion, author: { name: "someone" } }];
  const { hubUrl } = await startFakeHub({ revisions: pickled, discussions });
  expect(await messageOf(resolveModel("org/tiny", { cacheFolder: temporaryFolder(), hubUrl }))).toBe(
    "Downloading the model org/tiny: the hub has no safetensors weights at revision main; convert the model and give its folder.",
  );
});

test("a model or revision that the hub does not know is named as such", async () => {
  const { hubUrl } = await startFakeHub({ revisions: { main: whole } });
  const options = { cacheFolder: temporaryFolder(), hubUrl };
  expect(await messageOf(resolveModel("org/none", options))).toMatch(/the hub answered 404: no such public model/);
  expect(await messageOf(resolveModel("org/tiny", { ...options, revision: "v9" }))).toMatch(/the hub answered 404/);
});

test.each(["commits", "contents"] as const)(
  "a hub that answers with paths instead of ids of %s is refused",
  async (lies) => {
    const { hubUrl } = await startFakeHub({ revisions: { main: whole }, lies });
    const cacheFolder = temporaryFolder();
    expect(await messageOf(resolveModel("org/tiny", { cacheFolder, hubUrl }))).toMatch(
      /answered "..\/..\/x" where an object id/,
    );
    expect(readdirSync(cacheFolder)).toEqual([]);
  },
);

test.each([
  [{ HF_HUB_CACHE: "/c", HF_HOME: "/h" }, "/c"],
  [{ HF_HOME: "/h" }, join("/h", "hub")],
  [{ XDG_CACHE_HOME: "/x" }, join("/x", "huggingface", "hub")],
])("the cache folder is that of the Hugging Face libraries: %o", (variables, expected) => {
  for (const name of ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"])
    vi.stubEnv(name, undefined);
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  expect(hubCacheFolder()).toBe(expected);
  vi.unstubAllEnvs();
});
