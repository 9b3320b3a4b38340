import { existsSync, readFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { type Level, processorLevel } from "../../src/tensor/x86/library.ts";

/** What measurements were made on. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly gib: number;
  /** Those of its instructions that products and noise use, as Linux calls them. */
  readonly features: readonly string[];
  /** The level of the kit's own kernels: the processor's, or a lower one that MEZO_CPU names. */
  readonly level: Level;
}

/** Linux's names of instructions that the kit or PyTorch use for products and noise, in the order of their years. */
const FEATURES = ["avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16", "amx_tile"];
const CPU_INFO = "/proc/cpuinfo";

/** Names this machine. Throws a KitError where MEZO_CPU names a level that it lacks. */
export function nameMachine(): Machine {
  const info = existsSync(CPU_INFO) ? readFileSync(CPU_INFO, "utf8") : "";
  return {
    ...{ processor: cpus()[0]?.model.trim() ?? "unknown", cores: availableParallelism(), gib: totalmem() / 2 ** 30 },
    ...{ features: readFeatures(info), level: processorLevel() },
  };
}

/** Those of the first processor in the text of /proc/cpuinfo. */
export function readFeatures(info: string): string[] {
  const flags = /^flags\s*:(.*)$/m.exec(info)?.[1]?.split(/\s+/) ?? [];
  return FEATURES.filter((feature) => flags.includes(feature));
}

/** Whether the kit's kernels and PyTorch's have tiles for bfloat16 here. */
export const hasTiles = ({ features }: Machine): boolean => features.includes("amx_bf16");

/** "Intel Xeon, 2 cores, 23 GiB; avx2 fma avx512f avx512_bf16, no AMX; kernels of level avx512bf16". */
export function machineText(machine: Machine): string {
  const { processor, cores, gib, features, level } = machine;
  const known = `${features.join(" ")}${hasTiles(machine) ? "" : `${features.length > 0 ? ", " : ""}no AMX`}`;
  return `${processor}, ${cores} cores, ${gib.toFixed(0)} GiB; ${known}; kernels of level ${level}`;
}
