import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import Table from "cli-table3";
import { Command } from "commander";
import { KitError } from "../error.ts";
import type { BenchRequest, BenchResult } from "./benchStep.ts";
import { runCommand } from "./exit.ts";
import { median } from "./median.ts";
import { measurePeer, type PeerResult } from "./peer.ts";

interface BenchOptions extends BenchRequest {
  readonly rounds: number;
  readonly against: string | undefined;
}

const MIB = 2 ** 20;

function parseBenchOptions(argv: readonly string[]): BenchOptions {
  const parser = new Command("mezo-bench")
    .description("Measures MeZO steps on an OPT-125M shape with random weights: seconds, GFLOPS, peak memory.")
    .option("--rows <n>", "rows a batch", Number, 16)
    .option("--tokens <n>", "tokens a row", Number, 64)
    .option("--steps <n>", "steps a round, after one to warm up", Number, 5)
    .option("--rounds <n>", "rounds, each in a process of its own", Number, 1)
    .option("--threads <n>", "threads", Number, availableParallelism())
    .option("--noise <law>", "law of z: gaussian or rademacher", "gaussian")
    .option(
      "--against <command>",
      "another program, run in turn with ours: it prints a JSON line with step_s and peak_rss_mb",
    )
    .parse(argv, { from: "user" });
  const options = parser.opts<BenchOptions>();
  const bad = (["rows", "tokens", "steps", "rounds", "threads"] as const).find(
    (name) => !(Number.isInteger(options[name]) && options[name] > 0),
  );
  if (bad) throw new KitError(`--${bad} must be a whole number above 0.`);
  if (!["gaussian", "rademacher"].includes(options.noise))
    throw new KitError(`--noise is gaussian or rademacher, not "${options.noise}".`);
  return options;
}

/** One round in a process of its own, so that the peak memory is its own. */
function ours(request: BenchRequest): Promise<BenchResult> {
  return new Promise((done, failed) => {
    const child = fork(new URL("benchWorker.js", import.meta.url), { serialization: "advanced" });
    let result: BenchResult | undefined;
    child.on("message", (message: BenchResult) => {
      result = message;
    });
    child.on("error", (error) => failed(new KitError(`The measurement got no process of its own (${error.message}).`)));
    child.on("close", (code, signal) => {
      if (result) done(result);
      else failed(new KitError(`The measurement ended early (${signal ?? `exit code ${code}`}).`));
    });
    child.send(request);
  });
}

function row(name: string, r: BenchResult): string[] {
  const gflops = r.forwardGflop / r.forwardSeconds;
  return [
    name,
    ...[r.stepSeconds, r.forwardSeconds, r.sweepSeconds].map((s) => s.toFixed(2)),
    gflops.toFixed(0),
    `${(100 * r.inGraphs).toFixed(1)} %`,
    (r.peakBytes / MIB).toFixed(0),
  ];
}

function peerRow(name: string, r: PeerResult): string[] {
  const seconds = [r.step_s, r.forward_s, r.sweep_s].map((s) => s?.toFixed(2) ?? "");
  return [name, ...seconds, "", "", r.peak_rss_mb.toFixed(0)];
}

async function main(argv: readonly string[]): Promise<void> {
  const { against, rounds, ...request } = parseBenchOptions(argv);
  const table = new Table({
    head: ["", "step, s", "forwards, s", "sweeps, s", "GFLOPS", "in ONNX Runtime", "peak, MiB"],
    style: { head: [], border: [] },
  });
  const ratios: { time: number; memory: number }[] = [];
  process.stdout.write(
    `OPT-125M shape, random weights, ${request.rows} rows x ${request.tokens} tokens, ${request.threads} threads, ${request.noise} noise; medians of ${request.steps} steps\n`,
  );
  for (let round = 1; round <= rounds; round++) {
    process.stderr.write(`round ${round} of ${rounds}\n`);
    const mine = await ours(request);
    table.push(row(`mezo-kit, round ${round}`, mine));
    if (against === undefined) continue;
    const other = measurePeer(against);
    table.push(peerRow(`other, round ${round}`, other));
    ratios.push({ time: mine.stepSeconds / other.step_s, memory: mine.peakBytes / MIB / other.peak_rss_mb });
  }
  process.stdout.write(`${table.toString()}\n`);
  if (ratios.length > 0)
    process.stdout.write(
      `ours / theirs, median of the rounds: time ${median(ratios.map((r) => r.time)).toFixed(2)}, peak memory ${median(ratios.map((r) => r.memory)).toFixed(2)}\n`,
    );
}

await runCommand(main);
