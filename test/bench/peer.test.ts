import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { command, folder } from "../cli/mezo.ts";
import { peerCases } from "./peerCases.ts";
import { peerCommand } from "./peerFind.ts";
import { measurePeer, type PeerCommand } from "./peerRun.ts";

const shell = (text: string): PeerCommand => ({ program: "sh", args: ["-c", text] });
const json = (fields: string): PeerCommand => shell(`echo loading; echo '{${fields}}'`);

describe("a peer's measurement", () => {
  test("is the JSON of its last line", async () => {
    const peer = await measurePeer(json(`"step_s": 2.5, "peak_rss_mb": 900, "sgemm_gflops_best": 90, "device": "cpu"`));
    expect(peer).toMatchObject({ step_s: 2.5, peak_rss_mb: 900, sgemm_gflops_best: 90 });
  });

  test.each([
    ["no JSON", shell("echo done")],
    ["null", shell("echo null")],
    ["without the peak", json(`"step_s": 2.5, "sgemm_gflops_best": 90`)],
    ["without its check of products", json(`"step_s": 2.5, "peak_rss_mb": 900`)],
    ["with a text for a number", json(`"step_s": "2.5", "peak_rss_mb": 900, "sgemm_gflops_best": 90`)],
    ["with null for one", json(`"step_s": 2.5, "peak_rss_mb": 900, "sgemm_gflops_best": 90, "sweep_s": null`)],
    ["nothing", shell("exit 3")],
    ["never written", { program: "no-such-program", args: [] }],
  ])("whose last line is %s is refused", async (_what, peer) => {
    await expect(measurePeer(peer)).rejects.toThrow(/last line must be JSON with the numbers step_s, peak_rss_mb/);
  });

  test("with the reference BLAS is refused", async () => {
    const slow = json(`"step_s": 60, "peak_rss_mb": 900, "sgemm_gflops_best": 2.5`);
    await expect(measurePeer(slow)).rejects.toThrow(/2\.5 GFLOPS.*no fair peer/);
  });
});

test("the tuned peer has in-place sweeps, logits where needed and a malloc that keeps its pages; the authors' has none of them", () => {
  const peer = { python: "python3", version: "2.0", script: "bench_step.py" };
  const of = (kind: "authors" | "tuned", name: string): PeerCommand =>
    peerCommand(peer, kind, peerCases.find((one) => one.name === name)!, { steps: 3, threads: 2 });
  const tuned = of("tuned", "lora");
  expect(tuned.args.join(" ")).toContain(
    "--mode mezo-lora --batch 16 --seq 64 --steps 3 --threads 2 --impl inplace --logits option",
  );
  expect(tuned.env).toMatchObject({ GLIBC_TUNABLES: expect.stringContaining("mmap_threshold=8589934592") });
  const authors = of("authors", "classification");
  expect(authors.args.join(" ")).toMatch(/--mode mezo --batch 16 --seq 64 --objective cls --steps 3 --threads 2$/);
  expect(authors.env).not.toHaveProperty("GLIBC_TUNABLES");
});

describe("npm run bench:peer", () => {
  const withScript = (): string => {
    const place = folder();
    writeFileSync(join(place, "bench_step.py"), "");
    return place;
  };

  test.each([
    [
      "no folder of peers",
      ["--peer", "nowhere"],
      /looked for in nowhere, but is not there: name its folder with --peer/,
    ],
    ["no such Python", ["--peer", withScript(), "--python", "no-such-python"], /looked for in no-such-python/],
    ["a Python without PyTorch", ["--peer", withScript(), "--python", "false"], /looked for in false.*--python/],
    ["a comparison that it does not have", ["--case", "speed"], /--case.*gaussian, rademacher/],
  ])("says in one sentence that there is %s, and writes nothing", (_what, args, sentence) => {
    const { status, stdout, stderr, cwd } = command("bench/peerMain", args);
    expect(status).toBe(1);
    expect(stdout).toBe("");
    expect(stderr.trim()).toMatch(sentence);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(readdirSync(cwd)).toEqual([]);
  });
});
