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
const SHARED = "MEZO_SHARED";

/** The peers' script in a folder, or in the folder `peer` of the one that $MEZO_SHARED names. Throws a KitError where there is none. */
export function peerScript(folder: string | undefined): string {
  const shared = process.env[SHARED];
  const place = folder ?? (shared === undefined ? undefined : join(shared, "peer"));
  if (place === undefined)
    throw new KitError(`The peers' ${SCRIPT} was looked for, but no folder is named: name its folder with --peer.`);
  const script = join(place, SCRIPT);
  if (existsSync(script)) return script;
  throw new KitError(`The peers' ${SCRIPT} was looked for in ${place}, but is not there: name its folder with --peer.`);
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

/** How a peer's step is run: as the authors wrote it, or as the best PyTorch found. */
export function peerCommand(
  { python, script }: Peer,
  kind: PeerKind,
  { args }: PeerCase,
  { steps, threads }: Pick<BenchRequest, "steps" | "threads">,
): PeerCommand {
  const tuned = kind === "tuned";
  return {
    program: python,
    args: [
      ...[script, "--model", "opt125m", ...args, "--steps", `${steps}`, "--threads", `${threads}`],
      ...(tuned ? ["--impl", "inplace", "--logits", "option"] : []),
    ],
    env: { ...blasPath(), ...(tuned && { GLIBC_TUNABLES: KEEP_PAGES }) },
  };
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
