import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { KitError } from "../../src/error.ts";
import type { PeerCase, PeerKind } from "./peerCases.ts";
import { type PeerCommand, run } from "./peerRun.ts";
import type { BenchRequest } from "./request.ts";

/** A PyTorch to be compared with. */
export interface Peer {
  readonly python: string;
  /** PyTorch's version. */
  readonly version: string;
  readonly script: string;
}

const SCRIPT = "bench_step.py";

/** The kit's own program, which runs all kinds of peers. */
const OWN_SCRIPT = join(import.meta.dirname, "peer", SCRIPT);

/** The program of the peers that compute in float32: the kit's own, or of that name in a folder. Throws a KitError where that has none. */
export function peerScript(folder: string | undefined): string {
  const script = folder === undefined ? OWN_SCRIPT : join(folder, SCRIPT);
  if (existsSync(script)) return script;
  throw new KitError(
    `The peers' ${SCRIPT} was looked for in ${folder}, but is not there: name its folder with --peer.`,
  );
}

/** A Python with PyTorch. Throws a KitError where it has none, or is none. */
export async function findPeer(python: string, script: string): Promise<Peer> {
  const { stdout, stderr, ending } = await run({
    program: python,
    args: ["-c", "import numpy, torch; print(torch.__version__)"],
    env: blasPath(),
  });
  const version = stdout.trim();
  if (ending === 0 && version !== "") return { python, version, script };
  const reason = stderr.trim().split("\n").at(-1) || `it ended with ${ending}`;
  throw new KitError(
    `PyTorch and NumPy were looked for in ${python}, but cannot be used (${reason}): install them for it, or name another Python with --python.`,
  );
}

/** What malloc needs to keep its pages: without it PyTorch gives memory back to the system and takes it anew all the time. */
const KEEP_PAGES = "glibc.malloc.mmap_threshold=8589934592:glibc.malloc.trim_threshold=17179869184";

/** How the kinds of peers are called, and what makes the program run them. */
export const PEER_KINDS: Readonly<Record<PeerKind, { readonly title: string; readonly args: readonly string[] }>> = {
  authors: { title: "the authors' step, float32", args: [] },
  tuned: { title: "tuned, float32", args: ["--impl", "inplace", "--logits", "option"] },
  "authors-bfloat16": { title: "the authors' step, bfloat16", args: ["--dtype", "bfloat16"] },
  "tuned-bfloat16": {
    title: "tuned, bfloat16 with z in float32",
    args: ["--impl", "inplace", "--logits", "option", "--dtype", "bfloat16"],
  },
};

/** How a peer's step is run: as the authors wrote it, or as the best PyTorch found. */
export function peerCommand(
  { python, script }: Peer,
  kind: PeerKind,
  { args }: PeerCase,
  { steps, threads }: Pick<BenchRequest, "steps" | "threads">,
): PeerCommand {
  const program = kind.endsWith("bfloat16") ? OWN_SCRIPT : script;
  return {
    program: python,
    args: [
      ...[program, "--model", "opt125m", ...args, "--steps", `${steps}`, "--threads", `${threads}`],
      ...PEER_KINDS[kind].args,
    ],
    env: { ...blasPath(), ...(kind.startsWith("tuned") && { GLIBC_TUNABLES: KEEP_PAGES }) },
  };
}

/** How a peer measures what PyTorch does at best. */
export function ceilingsCommand({ python }: Peer, threads: number): PeerCommand {
  return { program: python, args: [OWN_SCRIPT, "--mode", "ceilings", "--threads", `${threads}`], env: blasPath() };
}

/** Debian's default BLAS is the reference one, 30 times slower than OpenBLAS beside it, which the linker must be told of. */
function blasPath(): Readonly<Record<string, string>> {
  const folders = foldersIn("/usr/lib").map((name) => join("/usr/lib", name, "openblas-openmp"));
  const found = folders.filter((folder) => existsSync(folder));
  if (found.length === 0) return {};
  const before = process.env.LD_LIBRARY_PATH;
  return { LD_LIBRARY_PATH: [...found, ...(before ? [before] : [])].join(":") };
}

function foldersIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
