import { spawnSync } from "node:child_process";

/** A graphics card of NVIDIA's, and its memory at the moment of asking. */
export interface Gpu {
  /** "NVIDIA H200" */
  readonly name: string;
  readonly totalBytes: number;
  readonly freeBytes: number;
}

const MIB = 2 ** 20;
const LONGEST_MS = 10_000;

/**
 * The GPUs that the driver's program nvidia-smi tells of, of those that CUDA_VISIBLE_DEVICES leaves where it is set. None where there is no
 * such program, where it fails, and where it does not tell a card's memory.
 */
export function findGpus(): Gpu[] {
  const visible = process.env.CUDA_VISIBLE_DEVICES;
  if (visible === "") return [];
  const query = ["--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits"];
  const { status, stdout } = spawnSync("nvidia-smi", [...query, ...(visible ? [`--id=${visible}`] : [])], {
    encoding: "utf8",
    timeout: LONGEST_MS,
  });
  return status === 0 ? stdout.trim().split("\n").flatMap(readGpu) : [];
}

function readGpu(line: string): Gpu[] {
  const [name, total, free] = line.split(",").map((field) => field.trim());
  const [totalBytes, freeBytes] = [Number(total) * MIB, Number(free) * MIB];
  return name && totalBytes > 0 && freeBytes >= 0 ? [{ name, totalBytes, freeBytes }] : [];
}
