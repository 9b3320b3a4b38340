import { fork, spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import Table from "cli-table3";
import { Command } from "commander";
import { KitError } from "../error.ts";
import type { BenchRequest, BenchResult } from "./benchStep.ts";

interface BenchOptions extends BenchRequest {
  readonly rounds: number;
  readonly against: string | undefined;
}

/** What another program's measurement must print as its last line: the fields that a PyTorch baseline reports. */
interface PeerResult {
  readonly step_s: number;
  readonly forward_s?: number;
  readonly sweep_s?: number;
  readonly peak_rss_mb: number;
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
    const child = fork(new URL("benchStep.js", import.meta.url));
    child.once("message", (result: BenchResult) => done(result));
    child.once("exit", (code) => failed(new KitError(`The measurement ended early (exit code ${code}).`)));
    child.send(request);
  });
}

function theirs(command: string): PeerResult {
  const { stdout, stderr, status } = spawnSync(command, { shell: true, encoding: "utf8", maxBuffer: 2 ** 28 });
  const last = stdout.trim().split("\n").at(-1) ?? "";
  try {
    return JSON.parse(last) as PeerResult;
  } catch {
    throw new KitError(
      `--against: the command ended with ${status} and its last line is no JSON ("${last.slice(0, 80)}"): ${stderr.trim().split("\n").at(-1) ?? ""}`,
    );
  }
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

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

async function main(): Promise<void> {
  const { against, rounds, ...request } = parseBenchOptions(process.argv.slice(2));
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
    const other = theirs(against);
    table.push(peerRow(`other, round ${round}`, other));
    ratios.push({ time: mine.stepSeconds / other.step_s, memory: mine.peakBytes / MIB / other.peak_rss_mb });
  }
  process.stdout.write(`${table.toString()}\n`);
  if (ratios.length > 0)
    process.stdout.write(
      `ours / theirs, median of the rounds: time ${median(ratios.map((r) => r.time)).toFixed(2)}, peak memory ${median(ratios.map((r) => r.memory)).toFixed(2)}\n`,
    );
}

main().catch((error: Error) => {
  process.stderr.write(`${error instanceof KitError ? error.message : error.stack}\n`);
  process.exitCode = 1;
});
