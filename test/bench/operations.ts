import type { GraphRun } from "../../src/tensor/native/session.ts";
import type { LibraryCall } from "../../src/tensor/x86/library.ts";

/** One use of an operation: a run of a graph, or a call of the kit's library. */
export interface Use {
  /** The operation with its sizes. */
  readonly name: string;
  readonly seconds: number;
  /** Floating-point operations, of products alone. */
  readonly flops?: number | undefined;
}

/** Uses of one operation with the same shapes, in one step. */
export interface Operation extends Use {
  readonly calls: number;
}

/** The uses in `steps` steps by operation, for one step; the slowest first. */
export function operationsOf(uses: readonly Use[], steps: number): Operation[] {
  const byName = new Map<string, Use[]>();
  for (const use of uses) {
    const same = byName.get(use.name);
    if (same) same.push(use);
    else byName.set(use.name, [use]);
  }
  const operations = [...byName].map(([name, same]): Operation => {
    const { flops } = same[0]!;
    const calls = same.length / steps;
    const seconds = same.reduce((sum, use) => sum + use.seconds, 0) / steps;
    return { name, calls, seconds, ...(flops !== undefined && { flops: flops * calls }) };
  });
  return operations.sort((a, b) => b.seconds - a.seconds);
}

/** "linear x [1008, 768], weight [3072, 768], relu": the operation, its inputs of two dimensions and more, and what sets it apart. */
export function graphUse(run: GraphRun): Use {
  const [operation, ...details] = run.name.split(" ");
  const inputs = Object.entries(run.shapes).filter(([key, shape]) => !OUTPUTS.has(key) && shape.length > 1);
  const sizes = inputs.map(([key, shape]) => `${key} [${shape.join(", ")}]`);
  const extras = details.filter((detail) => /^[a-z]+$/.test(detail) && detail !== "undefined" && detail !== "none");
  return { name: `${operation} ${[...sizes, ...extras].join(", ")}`, seconds: run.seconds, flops: graphFlops(run) };
}

const OUTPUTS = new Set(["y", "logits", "sums"]);

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Floating-point operations of a run, where it is a product. */
function graphFlops({ name, shapes }: GraphRun): number | undefined {
  const { x, q, k, a, y, features, logits } = shapes;
  if (/^(linear|feedForward)/.test(name)) return 2 * size(y!) * x!.at(-1)!;
  if (name.startsWith("vocabularyTile")) return 2 * size(logits!) * features!.at(-1)!;
  if (name.startsWith("matMul")) return (2 * size(y!) * size(a!)) / size(y!.slice(0, -1));
  return name.startsWith("attention") ? attentionFlops(name, q!, k!) : undefined;
}

/** Both products of attention with the keys that are seen. */
function attentionFlops(name: string, q: readonly number[], k: readonly number[]): number {
  const [sequences, queries, width] = q as [number, number, number];
  const unseen = name.endsWith("none") ? 0 : (queries * (queries - 1)) / 2;
  return 4 * sequences * width * (queries * k[1]! - unseen);
}

/** "product x [1008, 768], weight [3072, 768], both sides", from the sizes that the library's function is given (product_shape in api.h). */
export function callUse({ name, args, seconds }: LibraryCall): Use {
  if (name === "attention") return { ...attentionUse(args), seconds };
  if (name !== "product") return { name, seconds };
  const [, sides, order, m, n, k] = Array.from(args[0] as BigInt64Array, Number);
  const both = sides === 0 ? "" : ", both sides";
  const flops = 2 * m! * n! * k! * (sides === 0 ? 1 : 2);
  const [x, weight] = [order === 2 ? [k, m] : [m, k], order === 0 ? [n, k] : [k, n]].map((shape) => shape.join(", "));
  return { name: `product x [${x}], weight [${weight}]${both}`, seconds, flops };
}

/** "attention 16 sequences, q [1008, 768], k [1008, 768]", from the sizes and lengths that the library's function is given. */
function attentionUse([sizes, , , , , lengths, keyLengths]: LibraryCall["args"]): Omit<Use, "seconds"> {
  const [sequences, queries, keys, heads, keyHeads, width, causal] = sizes as unknown as Int32Array;
  const seen = Array.from(lengths as Int32Array, (length, i) => {
    const unseen = causal ? (length * (length - 1)) / 2 : 0;
    return length * (keyLengths as Int32Array)[i]! - unseen;
  });
  const flops = 4 * heads! * width! * seen.reduce((a, b) => a + b, 0);
  const q = `q [${queries}, ${heads! * width!}]`;
  return { name: `attention ${sequences} sequences, ${q}, k [${keys}, ${keyHeads! * width!}]`, flops };
}
