import { availableParallelism } from "node:os";
import { relative } from "node:path";
import { Command } from "commander";
import { runCommand } from "../../src/cli/commandLine.ts";
import { terminalProgress } from "../../src/report/progress.ts";
import type { Products } from "../../src/tensor/products.ts";
import type { Progress } from "../../src/tensor/progress.ts";
import { bestOf, type Ceilings } from "./ceilings.ts";
import { ceilingsText, peerCeilingsText } from "./ceilingsText.ts";
import { hasTiles, type Machine, machineText, nameMachine } from "./machine.ts";
import { among, count, productsOption } from "./options.ts";
import { measureOwnMemory, type OwnMemory } from "./ownMemory.ts";
import { ceilings } from "./ownProcess.ts";
import { peerCases } from "./peerCases.ts";
import { ceilingsCommand, findPeer, type Peer, peerScript } from "./peerFind.ts";
import { type Compared, compareAll, type PeerPlan } from "./peerRounds.ts";
import { measurePeerCeilings, type PeerCeilings } from "./peerRun.ts";
import { limitText, memoryText, peerText } from "./peerTable.ts";
import { writeResults } from "./results.ts";

/** What `npm run bench:peer` is asked for, checked. */
interface PeerOptions {
  readonly peer?: string;
  readonly python?: readonly string[];
  readonly case: readonly string[];
  readonly rounds: number;
  readonly steps: number;
  readonly threads: number;
  readonly products?: Products;
  readonly output: string;
}

function parsePeerOptions(argv: readonly string[]): PeerOptions {
  const names = peerCases.map(({ name }) => name);
  return new Command("mezo-bench-peer")
    .description("Measures MeZO steps in turn with PyTorch's: the authors' step as they ship it, and the best found.")
    .option("--peer <folder>", "a folder with another bench_step.py for the steps in float32")
    .option(
      "--python <names>",
      "Pythons with PyTorch, with commas between them or repeated ($MEZO_PYTHON, or python3)",
      addNames,
    )
    .option("--case <names>", `comparisons, with commas between them: ${names.join(", ")}`, among(names), names)
    .option("--rounds <n>", "rounds, in each of which all take their turn", count, 3)
    .option("--steps <n>", "steps a turn, after one to warm up", count, 3)
    .option("--threads <n>", "threads, ours and theirs", count, availableParallelism())
    .addOption(productsOption())
    .option("--output <folder>", "where the results are written", "data/runs")
    .parse(argv, { from: "user" })
    .opts<PeerOptions>();
}

const addNames = (text: string, before: readonly string[] = []): string[] => [...before, ...text.split(",")];

async function main(argv: readonly string[]): Promise<void> {
  const options = parsePeerOptions(argv);
  const { rounds, steps, threads, products, output } = options;
  const script = peerScript(options.peer);
  const peers: Peer[] = [];
  for (const python of options.python ?? [process.env.MEZO_PYTHON ?? "python3"])
    peers.push(await findPeer(python, script));
  const cases = peerCases.filter(({ name }) => options.case.includes(name));
  const plan: PeerPlan = { cases, peers, rounds, size: { steps, threads, products } };
  const machine = nameMachine();
  const progress = terminalProgress();
  const found = await measureAll(plan, progress.report).finally(() => progress.stop());
  process.stdout.write(`${resultsText(plan, machine, found)}\n`);
  const file = writeResults(output, `bench-peer-${threads}threads.json`, { machine, rounds, steps, threads, ...found });
  process.stdout.write(`Results: ${relative(process.cwd(), file)}\n`);
}

interface Found extends Compared {
  readonly ceilings: Ceilings;
  readonly peerCeilings: readonly PeerCeilings[];
  readonly memory: readonly OwnMemory[];
}

/** Measures the comparisons between two measurements of our ceilings, and what is measured once. */
async function measureAll(plan: PeerPlan, onProgress: Progress): Promise<Found> {
  const { threads } = plan.size;
  const before = await ceilings(threads, onProgress);
  const peerCeilings: PeerCeilings[] = [];
  for (const peer of plan.peers) peerCeilings.push(await measureTheirCeilings(peer, threads, onProgress));
  const compared = await compareAll(plan, onProgress);
  const memory = await measureOwnMemory(plan, onProgress);
  return { ...compared, ceilings: bestOf(before, await ceilings(threads, onProgress)), peerCeilings, memory };
}

async function measureTheirCeilings(peer: Peer, threads: number, onProgress: Progress): Promise<PeerCeilings> {
  const label = `ceilings of PyTorch ${peer.version}`;
  onProgress({ label, done: 0, total: 1 });
  const found = await measurePeerCeilings(ceilingsCommand(peer, threads));
  onProgress({ label, done: 1, total: 1 });
  return found;
}

function resultsText({ peers, rounds, size }: PeerPlan, machine: Machine, found: Found): string {
  const { comparisons, ours, ceilings, peerCeilings, memory } = found;
  const products = ours[0]!.results[0]!.products;
  return [
    machineText(machine),
    `OPT-125M's shape with random weights, ${size.threads} threads, ${products} products; medians of ${rounds} rounds of ${size.steps} steps, ours and theirs in turn`,
    peerText(comparisons),
    ...(hasTiles(machine) ? [] : [OTHER_TARGETS]),
    ...["", memoryText(memory), "", limitText(ours, ceilings), LIMIT_LEGEND, "", ceilingsText(ceilings)],
    ...peerCeilings.map((one, i) => peerCeilingsText(peers[i]!, one)),
  ].join("\n");
}

const OTHER_TARGETS = "The targets are those of two cores with AMX, which this machine does not have.";
const LIMIT_LEGEND =
  "predicted: what must be done at the ceilings below. Products of the kit's own make their weights' noise, so that the noise found is the rest of it; both together compare.";

await runCommand(main);
