import type { GraphRun } from "../../src/tensor/native/session.ts";

/** Calls of one operation with the same shapes, in one step. */
export interface Operation {
  /** The operation with its sizes. */
  readonly name: string;
  readonly calls: number;
  readonly seconds: number;
  /** Floating-point operations, of products alone. */
  readonly flops?: number;
}

/** The runs of `steps` steps by operation, for one step; the slowest first. */
export function operationsOf(runs: readonly GraphRun[], steps: number): Operation[] {
  const byName = new Map<string, GraphRun[]>();
  for (const run of runs) {
    const same = byName.get(nameOf(run));
    if (same) same.push(run);
    else byName.set(nameOf(run), [run]);
  }
  const operations = [...byName].map(([name, same]): Operation => {
    const flops = flopsOf(same[0]!);
    const calls = same.length / steps;
    const seconds = same.reduce((sum, run) => sum + run.seconds, 0) / steps;
    return { name, calls, seconds, ...(flops !== undefined && { flops: flops * calls }) };
  });
  return operations.sort((a, b) => b.seconds - a.seconds);
}

/** "linear x [1008, 768], weight [3072, 768], relu": the operation, its inputs of two dimensions and more, and what sets it apart. */
function nameOf({ name, shapes }: GraphRun): string {
  const [operation, ...details] = name.split(" ");
  const inputs = Object.entries(shapes).filter(([key, shape]) => !OUTPUTS.has(key) && shape.length > 1);
  const sizes = inputs.map(([key, shape]) => `${key} [${shape.join(", ")}]`);
  const extras = details.filter((detail) => /^[a-z]+$/.test(detail) && detail !== "undefined" && detail !== "none");
  return `${operation} ${[...sizes, ...extras].join(", ")}`;
}

const OUTPUTS = new Set(["y", "logits", "sums"]);

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Floating-point operations of a run, where it is a product. */
function flopsOf({ name, shapes }: GraphRun): number | undefined {
  const { x, q, k, a, y, seen, features, logits } = shapes;
  if (/^(linear|feedForward|product )/.test(`${name} `)) return 2 * size(y!) * x!.at(-1)!;
  if (name.startsWith("productOfBoth")) return 4 * size(y!) * x!.at(-1)!;
  if (name.startsWith("vocabularyTile")) return 2 * size(logits!) * features!.at(-1)!;
  if (name.startsWith("matMul")) return (2 * size(y!) * size(a!)) / size(y!.slice(0, -1));
  if (seen) return 4 * seen[0]! * q!.at(-1)!;
  return name.startsWith("attention") ? attentionFlops(name, q!, k!) : undefined;
}

/** Both products of attention with the keys that are seen, of sequences of one length. */
function attentionFlops(name: string, q: readonly number[], k: readonly number[]): number {
  const [sequences, queries, width] = q as [number, number, number];
  const unseen = name.endsWith("none") ? 0 : (queries * (queries - 1)) / 2;
  return 4 * sequences * width * (queries * k[1]! - unseen);
}
