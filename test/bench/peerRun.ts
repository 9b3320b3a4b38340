import { spawn } from "node:child_process";
import { KitError, listNames } from "../../src/error.ts";

/** A program and what it is given. */
export interface PeerCommand {
  readonly program: string;
  readonly args: readonly string[];
  /** What its environment has beside this process's. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What a peer's measurement must print as its last line: the fields that are used. */
export interface PeerResult {
  readonly step_s: number;
  readonly forward_s?: number;
  readonly sweep_s?: number;
  readonly peak_rss_mb: number;
  /** The peer's own check of its matrix products. */
  readonly sgemm_gflops_best: number;
}

/** A machine's slowest fair product: the reference BLAS stays far below on any, the others far above. */
const LEAST_GFLOPS = 20;

/** What PyTorch does at best: products in float32 and in bfloat16, normals made, and bytes read and written in place. */
export interface PeerCeilings {
  readonly sgemm_gflops: number;
  readonly bfloat16_gflops: number;
  readonly normals_per_s: number;
  readonly bytes_per_s: number;
}

/**
 * Runs a peer's measurement. Throws a KitError where its last line is not what a `PeerResult` needs, and where its matrix products are
 * so slow that it is no fair peer.
 */
export async function measurePeer(command: PeerCommand): Promise<PeerResult> {
  const result = await readNumbers<PeerResult>(command, {
    needed: ["step_s", "peak_rss_mb", "sgemm_gflops_best"],
    optional: ["forward_s", "sweep_s"],
  });
  if (result.sgemm_gflops_best < LEAST_GFLOPS)
    throw new KitError(
      `${shown(command)}: its matrix products run at ${result.sgemm_gflops_best} GFLOPS, as with the reference BLAS, so that it would be no fair peer: install OpenBLAS (libopenblas0-openmp) or PyTorch from PyPI.`,
    );
  return result;
}

/** Runs a peer's measurement of its ceilings. Throws a KitError where its last line does not have them. */
export function measurePeerCeilings(command: PeerCommand): Promise<PeerCeilings> {
  const needed = ["sgemm_gflops", "bfloat16_gflops", "normals_per_s", "bytes_per_s"] as const;
  return readNumbers<PeerCeilings>(command, { needed });
}

/** Names of numbers: those that there must be, and those that there may be. */
interface Numbers<Result> {
  readonly needed: readonly (keyof Result & string)[];
  readonly optional?: readonly (keyof Result & string)[];
}

/** The numbers that a program prints as JSON in its last line. Throws a KitError where they are not there. */
async function readNumbers<Result>(command: PeerCommand, { needed, optional = [] }: Numbers<Result>): Promise<Result> {
  const { stdout, stderr, ending } = await run(command);
  const last = stdout.trim().split("\n").at(-1) ?? "";
  const fields = fieldsOf(last);
  const known = optional.filter((name) => fields[name] !== undefined);
  if ([...needed, ...known].every((name) => Number.isFinite(fields[name])))
    return Object.fromEntries([...needed, ...known].map((name) => [name, fields[name]])) as Result;
  throw new KitError(
    `${shown(command)}: its last line must be JSON with the numbers ${listNames(needed)}, but it ended with ${ending} and the line is "${last.slice(0, 80)}": ${stderr.trim().split("\n").at(-1) ?? ""}`,
  );
}

/** What a finished program has left. `ending` is its exit code, its signal, or why it could not be started. */
export interface PeerOutput {
  readonly stdout: string;
  readonly stderr: string;
  readonly ending: number | string;
}

/** Runs a program to its end, whatever that is. */
export function run({ program, args, env }: PeerCommand): Promise<PeerOutput> {
  return new Promise((done) => {
    const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", ({ message }) => done({ stdout, stderr, ending: message }));
    child.on("close", (code, signal) => done({ stdout, stderr, ending: signal ?? code ?? "" }));
  });
}

const shown = ({ program, args }: PeerCommand): string => [program, ...args].join(" ").slice(0, 200);

function fieldsOf(line: string): Record<string, unknown> {
  try {
    return (JSON.parse(line) ?? {}) as Record<string, unknown>;
  } catch {
    return {};
  }
}
