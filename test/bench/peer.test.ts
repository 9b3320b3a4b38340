import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { command, folder } from "../cli/mezo.ts";
import { peerCeilingsText } from "./ceilingsText.ts";
import type { CaseResult } from "./measure.ts";
import { peerCases } from "./peerCases.ts";
import { peerCommand } from "./peerFind.ts";
import { compare } from "./peerRounds.ts";
import { measurePeer, measurePeerCeilings, type PeerCommand, run } from "./peerRun.ts";
import { limitText, memoryText, peerText } from "./peerTable.ts";

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

test("in bfloat16 both peers are the kit's own program, whatever runs in float32", () => {
  const peer = { python: "python3", version: "2.0", script: "elsewhere/bench_step.py" };
  const [authors, tuned] = (["authors-bfloat16", "tuned-bfloat16"] as const).map((kind) =>
    peerCommand(peer, kind, peerCases[0]!, { steps: 3, threads: 2 }).args.join(" "),
  );
  expect(authors).toMatch(/bench\/peer\/bench_step\.py .*--threads 2 --dtype bfloat16$/);
  expect(tuned).toMatch(/bench\/peer\/bench_step\.py .*--impl inplace --logits option --dtype bfloat16$/);
  expect(authors).not.toContain("elsewhere");
});

describe("a peer's ceilings", () => {
  const fields = `"sgemm_gflops": 90, "bfloat16_gflops": 400, "normals_per_s": 3e8`;

  test("are the JSON of its last line, and its sentence", async () => {
    const found = await measurePeerCeilings(json(`${fields}, "bytes_per_s": 2e10`));
    expect(peerCeilingsText({ version: "2.15" }, found)).toBe(
      "PyTorch 2.15: 90 GFLOPS in that product in float32, 400 in bfloat16; 300 million normals a second; 20 GB/s read and written in place",
    );
  });

  test("without one of them are refused", async () => {
    await expect(measurePeerCeilings(json(fields))).rejects.toThrow(/with the numbers .*bytes_per_s/);
  });
});

describe("a comparison", () => {
  const [one] = peerCases;
  const round = (stepSeconds: number): CaseResult => ({
    ...{ stepSeconds, passSeconds: 0.5, noiseSeconds: 0.25, inGraphs: 1, samples: [] },
    ...{ productSeconds: 0.5, attentionSeconds: 0.125, flops: 4e9, attentionFlops: 1e9, products: "bf16x3" },
    ...{ trained: 1e8, weights: 1e8, weightBytes: 4e8, peakBytes: 600 * 2 ** 20 },
  });
  const results = [1, 2, 3].map(round);
  const theirs = [2, 8, 4].map((step_s) => ({ step_s, peak_rss_mb: 1200, sgemm_gflops_best: 90 }));

  test("is the median of the rounds' ratios, with the target of its kind", () => {
    const found = compare({ one: one!, results }, { version: "2.15" }, "tuned-bfloat16", theirs);
    expect(found).toMatchObject({ time: 0.5, memory: 0.5, target: { time: 0.42 } });
    const cells = peerText([found]).split("\n").at(-2)!.split("│");
    expect(cells.map((cell) => cell.trim()).slice(1, -1)).toEqual([
      ...["language-model loss, Gaussian", "PyTorch 2.15, tuned, bfloat16 with z in float32"],
      ...["2.00", "4.00", "0.50", "≤ 0.42", "600", "1200", "0.50", ""],
    ]);
  });

  test("has no target to the authors' step in bfloat16", () => {
    const found = compare({ one: one!, results }, { version: "2.15" }, "authors-bfloat16", theirs);
    expect(found).not.toHaveProperty("target");
  });

  test("shows where our time goes, as predicted and found: three bf16 products of each, at 10 GFLOPS, and 200 million normals", () => {
    const ceilings = { gemm: 1e9, float32: 1e9, bf16: 10e9, gaussian: 1e9, rademacher: 1e9, copied: 1e9 };
    const cells = limitText([{ one: one!, results }], ceilings)
      .split("\n")
      .at(-2)!
      .split("│");
    expect(cells.map((cell) => cell.trim()).slice(2, -1)).toEqual([
      ...["900 / 500", "200 / 250", "1100 / 750", "300 / 125", "0 / 1125", "1400 / 2000", "1.43", "≤ 1.35"],
    ]);
  });

  test("with our own inference is of peaks, against the same target in each format", () => {
    const text = memoryText([{ weights: "bfloat16", stepBytes: 330 * 2 ** 20, inferenceBytes: 300 * 2 ** 20 }]);
    expect(text).toMatch(/bfloat16 +│\s*330 │\s*300 │\s*1\.10 │\s*≤ 1\.10 │/);
  });
});

/** Both steps of the kit's own program on the same tiny model: the losses and how far the weights end apart, over how far they were moved. */
const BOTH_STEPS = `
import copy, json, numpy as np, torch
from model import OPT, SHAPES, authors_loss, tuned_loss
from steps import AuthorsStep, TunedStep
import steps
steps.LR = 1e-3
torch.manual_seed(1)
authors = OPT(**SHAPES["tiny"])
tuned = OPT(**SHAPES["tiny"], tuned=True)
tuned.load_state_dict(authors.state_dict())
before = copy.deepcopy(authors.state_dict())
ids = torch.randint(4, 128, (4, 8))
labels = torch.tensor([0, 1])
losses = lambda labels: [float(loss(model, ids, labels)) for model, loss in ((authors, authors_loss), (tuned, tuned_loss))]
found = dict(lm=losses(None), cls=losses(labels))
for model, loss, Step in ((authors, authors_loss, AuthorsStep), (tuned, tuned_loss, TunedStep)):
    np.random.seed(3)
    Step(model, lambda model: loss(model, ids, None)).step()
norm = lambda a, b: float(sum(((a[name] - b[name]) ** 2).sum() for name in a) ** 0.5)
found["apart"] = norm(authors.state_dict(), tuned.state_dict()) / norm(authors.state_dict(), before)
print(json.dumps(found))
`;

const PYTHON = process.env.MEZO_PYTHON;
const needsPython = PYTHON ? "" : " (set MEZO_PYTHON to a python with torch)";

test.skipIf(!PYTHON)(`the tuned peer has the authors' losses, and takes their step${needsPython}`, async () => {
  const env = { PYTHONPATH: join(import.meta.dirname, "peer"), OMP_NUM_THREADS: "1" };
  const { stdout, stderr } = await run({ program: PYTHON!, args: ["-c", BOTH_STEPS], env });
  expect(stdout, stderr).not.toBe("");
  const { lm, cls, apart } = JSON.parse(stdout);
  for (const [authors, tuned] of [lm, cls]) expect(tuned).toBeCloseTo(authors, 5);
  expect(apart).toBeLessThan(0.02);
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
