import { type GraphRun, profileGraphs, secondsInGraphs } from "../../src/tensor/native/session.ts";
import { secondsInNoise } from "../../src/tensor/noise/sweep.ts";
import type { CaseRequest } from "./request.ts";
import { subjectOf } from "./subject.ts";

/** Where one step's time goes, on the average of all that were profiled. */
export interface Profile {
  readonly stepSeconds: number;
  readonly noiseSeconds: number;
  /** What neither noise nor an operation accounts for: JavaScript. */
  readonly restSeconds: number;
  /** The slowest first. */
  readonly operations: readonly Operation[];
}

/** Calls of one operation with the same shapes, in one step. */
export interface Operation {
  readonly name: string;
  readonly calls: number;
  readonly seconds: number;
  /** Of products alone. */
  readonly flops?: number;
}

/** Profiles the steps of a case in this process, after one step to warm up. */
export async function profileCase(request: CaseRequest, onStep: (done: number) => void): Promise<Profile> {
  const { step, dispose } = await subjectOf(request, (objective) => objective);
  await step(0);
  onStep(1);
  const runs: GraphRun[] = [];
  const before = { noise: secondsInNoise(), graphs: secondsInGraphs() };
  const started = performance.now();
  await profileGraphs(
    (run) => runs.push(run),
    async () => {
      for (let i = 1; i <= request.steps; i++) {
        await step(i);
        onStep(i + 1);
      }
    },
  );
  const each = (seconds: number): number => seconds / request.steps;
  const all = (performance.now() - started) / 1e3;
  const noise = secondsInNoise() - before.noise;
  dispose();
  return {
    stepSeconds: each(all),
    noiseSeconds: each(noise),
    restSeconds: each(all - noise - (secondsInGraphs() - before.graphs)),
    operations: operationsOf(runs, request.steps),
  };
}

/** The runs of `steps` steps by operation, for one step. */
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
