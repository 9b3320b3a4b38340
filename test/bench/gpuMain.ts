import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { Command } from "commander";
import { runCommand } from "../../src/cli/commandLine.ts";
import type { BackendName } from "../../src/tensor/backend.ts";
import { findTensorFlow } from "../../src/tensor/tensorflow/library.ts";
import { linkTensorFlow, readLinked } from "../../src/tensor/tensorflow/link.ts";
import { packKit } from "./gpuPack.ts";
import { SIZES } from "./gpuPlan.ts";
import { checkGpu, type PartResult } from "./gpuRun.ts";
import { among, count } from "./options.ts";

interface Options {
  readonly backend: readonly BackendName[];
  readonly seconds: number;
  readonly python: string;
  readonly tensorflow?: string;
  readonly small: boolean;
  readonly output: string;
  readonly pack?: string;
}

function parseOptions(argv: readonly string[]): Options {
  const names: BackendName[] = ["tensorflow", "webgpu"];
  return new Command("mezo-gpu-check")
    .description(
      "Measures a card: z's bits and rate, products, MeZO steps of three OPTs, and PyTorch's steps; writes JSON.",
    )
    .option("--backend <names>", "backends, with commas between them", among([...names, "native"]), names)
    .option("--seconds <n>", "the most that all of it may take", count, 360)
    .option("--python <name>", "a Python, whose PyTorch is measured and whose TensorFlow is linked", "python3")
    .option("--tensorflow <folder>", "a TensorFlow to link first (Python's, where none is linked yet)")
    .option("--small", "tiny shapes, for a machine without a card; the numbers mean nothing", false)
    .option("--output <file>", "where the results are written", "gpu-check.json")
    .option(
      "--pack <file>",
      "instead, write an archive (.tar.xz) with Node and all that this takes, for a machine that has nothing",
    )
    .parse(argv, { from: "user" })
    .opts<Options>();
}

async function main(argv: readonly string[]): Promise<void> {
  const { pack, output, small, ...options } = parseOptions(argv);
  if (pack) return packKit(pack);
  const linked = options.backend.includes("tensorflow") ? link(options) : undefined;
  const results = await checkGpu(
    { ...options, backends: options.backend, sizes: SIZES[small ? "small" : "full"] },
    say,
  );
  writeFileSync(output, `${JSON.stringify({ node: process.version, small, linked, ...results }, null, 1)}\n`);
  process.stdout.write(`${results.missed.length} parts were not reached. Results: ${output}\n`);
}

/** Links the TensorFlow that is named, or Python's where none is linked yet; gives what was linked, or why nothing was. */
function link({ tensorflow, python }: Pick<Options, "tensorflow" | "python">): object | undefined {
  const there = readLinked();
  if (tensorflow === undefined && there) return there;
  const folder = tensorflow ?? findInPython(python);
  if (folder === undefined) return { reason: `${python} has no TensorFlow` };
  try {
    return linkTensorFlow(findTensorFlow(folder));
  } catch (error) {
    return { reason: (error as Error).message };
  }
}

const FIND = "import importlib.util as u; print(u.find_spec('tensorflow').submodule_search_locations[0])";

function findInPython(python: string): string | undefined {
  const { status, stdout } = spawnSync(python, ["-c", FIND], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

function say({ part, result, reason }: PartResult): void {
  const numbers = reason ?? JSON.stringify(result);
  process.stdout.write(`${Object.values(part).join(" ")}: ${numbers}\n`);
}

await runCommand(main);
