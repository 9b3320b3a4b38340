import { availableParallelism } from "node:os";
import { relative } from "node:path";
import { Command } from "commander";
import { runCommand } from "../../src/cli/commandLine.ts";
import { terminalProgress } from "../../src/report/progress.ts";
import { among, count } from "./options.ts";
import { peerCases } from "./peerCases.ts";
import { findPeer, type Peer, peerScript } from "./peerFind.ts";
import { compareAll } from "./peerRounds.ts";
import { peerText } from "./peerTable.ts";
import { writeResults } from "./results.ts";

/** What `npm run bench:peer` is asked for, checked. */
interface PeerOptions {
  readonly peer?: string;
  readonly python?: readonly string[];
  readonly case: readonly string[];
  readonly rounds: number;
  readonly steps: number;
  readonly threads: number;
  readonly output: string;
}

function parsePeerOptions(argv: readonly string[]): PeerOptions {
  const names = peerCases.map(({ name }) => name);
  return new Command("mezo-bench-peer")
    .description("Measures MeZO steps in turn with PyTorch's: the authors' step as they ship it, and the best found.")
    .option("--peer <folder>", "where the peers' bench_step.py is (the folder peer in $MEZO_SHARED)")
    .option("--python <names>", "Pythons with PyTorch, with commas between them or repeated (python3)", addNames)
    .option("--case <names>", `comparisons, with commas between them: ${names.join(", ")}`, among(names), names)
    .option("--rounds <n>", "rounds, in each of which all take their turn", count, 3)
    .option("--steps <n>", "steps a turn, after one to warm up", count, 3)
    .option("--threads <n>", "threads, ours and theirs", count, availableParallelism())
    .option("--output <folder>", "where the results are written", "data/runs")
    .parse(argv, { from: "user" })
    .opts<PeerOptions>();
}

const addNames = (text: string, before: readonly string[] = []): string[] => [...before, ...text.split(",")];

async function main(argv: readonly string[]): Promise<void> {
  const options = parsePeerOptions(argv);
  const { rounds, steps, threads, output } = options;
  const script = peerScript(options.peer);
  const peers: Peer[] = [];
  for (const python of options.python ?? ["python3"]) peers.push(await findPeer(python, script));
  const cases = peerCases.filter(({ name }) => options.case.includes(name));
  const progress = terminalProgress();
  const plan = { cases, peers, rounds, size: { steps, threads } };
  const comparisons = await compareAll(plan, progress.report).finally(() => progress.stop());
  process.stdout.write(
    `OPT-125M's shape with random weights, ${threads} threads; medians of ${rounds} rounds of ${steps} steps, ours and theirs in turn\n${peerText(comparisons)}\n`,
  );
  const file = writeResults(output, `bench-peer-${threads}threads.json`, { rounds, steps, threads, comparisons });
  process.stdout.write(`Results: ${relative(process.cwd(), file)}\n`);
}

await runCommand(main);
