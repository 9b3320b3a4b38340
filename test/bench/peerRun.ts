import { spawn } from "node:child_process";
import { KitError } from "../../src/error.ts";

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

/**
 * Runs a peer's measurement. Throws a KitError where its last line is not what a `PeerResult` needs, and where its matrix products are
 * so slow that it is no fair peer.
 */
export async function measurePeer(command: PeerCommand): Promise<PeerResult> {
  const { stdout, stderr, ending } = await run(command);
  const last = stdout.trim().split("\n").at(-1) ?? "";
  const result = peerResult(last);
  if (!result)
    throw new KitError(
      `${shown(command)}: its last line must be JSON with the numbers step_s, peak_rss_mb and sgemm_gflops_best, but it ended with ${ending} and the line is "${last.slice(0, 80)}": ${stderr.trim().split("\n").at(-1) ?? ""}`,
    );
  if (result.sgemm_gflops_best < LEAST_GFLOPS)
    throw new KitError(
      `${shown(command)}: its matrix products run at ${result.sgemm_gflops_best} GFLOPS, as with the reference BLAS, so that it would be no fair peer: install OpenBLAS (libopenblas0-openmp) or PyTorch from PyPI.`,
    );
  return result;
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

/** Returns the measurement that a line of JSON holds, or undefined where a field is missing or no finite number. */
function peerResult(line: string): PeerResult | undefined {
  const { step_s, peak_rss_mb, sgemm_gflops_best, forward_s, sweep_s } = fieldsOf(line);
  if (![step_s, peak_rss_mb, sgemm_gflops_best].every(isNumber)) return undefined;
  if (![forward_s, sweep_s].every((seconds) => seconds === undefined || isNumber(seconds))) return undefined;
  return { step_s, peak_rss_mb, sgemm_gflops_best, forward_s, sweep_s } as PeerResult;
}

const isNumber = (value: unknown): value is number => Number.isFinite(value);

function fieldsOf(line: string): Record<string, unknown> {
  try {
    return (JSON.parse(line) ?? {}) as Record<string, unknown>;
  } catch {
    return {};
  }
}
