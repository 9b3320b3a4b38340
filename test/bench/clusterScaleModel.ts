import { modelShapes } from "./shapes.ts";
import { forwardFlops } from "./work.ts";

/** How fast a worker is, as measured on a machine: the model of scale assumes that larger models are computed at the same rates. */
export interface Rates {
  /** Floating-point operations a second of both sides' passes over the rows. */
  readonly flopsPerSecond: number;
  /** Weights a second whose z is made, and whose sides are formed, in a pass, whatever its rows. */
  readonly lookedPerSecond: number;
  /** Weights a second that a line moves along one z. */
  readonly movedPerSecond: number;
}

/** What a step costs beside what its workers compute: milliseconds, as fitted to measured steps that compute nothing. */
export interface Overhead {
  readonly fixedMs: number;
  /** Of each piece: it is written, published, answered, read. */
  readonly pieceMs: number;
  /** How many messages follow each other: the milliseconds by which a step grows with a latency of one. */
  readonly messagesInARow: number;
}

/** A model that is trained in a cluster: its weights, and the operations of a forward pass over one row. */
export interface TrainedModel {
  readonly name: string;
  readonly weights: number;
  readonly rowFlops: number;
}

/** A model of modelShapes with rows of so many tokens, the last of which is read. */
export function trainedModel(shape: string, tokens: number): TrainedModel {
  const { name, millions, config } = modelShapes[shape]!;
  const {
    hidden_size: width,
    num_hidden_layers: layers,
    ffn_dim: feedForward,
    vocab_size: vocabulary,
  } = config as Record<string, number>;
  const sizes = { layers: layers!, width: width!, feedForward: feedForward!, vocabulary: vocabulary! };
  const work = { rows: 1, positions: tokens, outputs: vocabulary!, rank: 0, prefix: 0 };
  return { name, weights: 1e6 * millions, rowFlops: forwardFlops(sizes, work) };
}

/** How a step is divided: its rows among shards of equal size, for each of its z. */
export interface Division {
  readonly rows: number;
  readonly shards: number;
  readonly directions: number;
}

/** How steps grow with workers: 16 rows and one z are divided as far as they can be, or there are more z, or more rows. */
export const SPLITS: Readonly<Record<"rows" | "directions" | "batch", (workers: number) => Division>> = {
  rows: (workers) => ({ rows: 16, shards: Math.min(16, workers), directions: 1 }),
  directions: (workers) => ({
    rows: 16,
    shards: Math.min(16, workers),
    directions: Math.max(1, Math.ceil(workers / 16)),
  }),
  batch: (workers) => ({ rows: 16 * workers, shards: workers, directions: 1 }),
};

/** Seconds of a piece: both sides' passes over its rows, after its z is made. */
export function pieceSeconds({ weights, rowFlops }: TrainedModel, rates: Rates, rows: number): number {
  return (2 * rows * rowFlops) / rates.flopsPerSecond + weights / rates.lookedPerSecond;
}

/** Seconds that every worker takes to move its weights by a line, which no worker saves it (Amdahl's serial part, with a pass's z). */
export function moveSeconds({ weights }: TrainedModel, rates: Rates, directions: number): number {
  return (directions * weights) / rates.movedPerSecond;
}

/** Seconds that messages take of a step. */
export function overheadSeconds(
  { fixedMs, pieceMs, messagesInARow }: Overhead,
  pieces: number,
  latencyMs: number,
): number {
  return (fixedMs + pieceMs * pieces + messagesInARow * latencyMs) / 1e3;
}

/** Where a step is made: by how many workers of which rates, on which network. */
export interface Place {
  readonly workers: number;
  readonly rates: Rates;
  readonly overhead: Overhead;
  readonly latencyMs: number;
}

/** Seconds of a step: each worker takes its pieces one after the other, then all move by the line. */
export function stepSeconds(model: TrainedModel, { rows, shards, directions }: Division, place: Place): number {
  const pieces = shards * directions;
  const each = pieceSeconds(model, place.rates, Math.ceil(rows / shards));
  const computing = Math.ceil(pieces / place.workers) * each + moveSeconds(model, place.rates, directions);
  return computing + overheadSeconds(place.overhead, pieces, place.latencyMs);
}

/** Seconds of the same step in one process, which makes each z once, and waits for nobody. */
export function aloneSeconds(model: TrainedModel, { rows, directions }: Division, rates: Rates): number {
  return directions * pieceSeconds(model, rates, rows) + moveSeconds(model, rates, directions);
}

/** What messages weigh, in bytes: a piece and its answer without the rows, a token of a row, and a line, of which a z adds two losses and an estimate. */
export interface MessageSizes {
  readonly perPiece: number;
  readonly perToken: number;
  readonly perLine: number;
  readonly perDirection: number;
}

/** The bytes that a worker receives and sends in a step: its pieces with their rows, their answers, and the line. */
export function workerBytes(
  { rows, shards, directions }: Division,
  workers: number,
  tokens: number,
  sizes: MessageSizes,
): number {
  const pieces = Math.ceil((shards * directions) / workers);
  const piece = sizes.perPiece + Math.ceil(rows / shards) * tokens * sizes.perToken;
  return pieces * piece + sizes.perLine + directions * sizes.perDirection;
}

/** The bytes that each worker sends in a ring's all-reduce of gradients, and receives: 2 (n − 1) / n of all (Patarasuk and Yuan 2009). */
export function allReduceBytes(weights: number, bytesPerWeight: number, workers: number): number {
  return (2 * weights * bytesPerWeight * (workers - 1)) / workers;
}

/** Fits a step's milliseconds as fixed + per piece + messages in a row · latency, by least squares of relative errors. */
export function fitOverhead(
  points: readonly { readonly shards: number; readonly latencyMs: number; readonly stepMs: number }[],
): Overhead {
  const rows = points.map(
    ({ shards, latencyMs, stepMs }) => [1 / stepMs, shards / stepMs, latencyMs / stepMs] as const,
  );
  const at = (i: number, j: number): number => rows.reduce((sum, row) => sum + row[i]! * row[j]!, 0);
  const matrix = [0, 1, 2].map((i) => [...[0, 1, 2].map((j) => at(i, j)), rows.reduce((sum, row) => sum + row[i]!, 0)]);
  const [fixedMs, pieceMs, messagesInARow] = solve(matrix);
  return { fixedMs: fixedMs!, pieceMs: pieceMs!, messagesInARow: messagesInARow! };
}

/** A straight line through points with positive y, by least squares of relative errors: where it begins, and how steep it is. */
export function fitLine(points: readonly (readonly [x: number, y: number])[]): {
  readonly start: number;
  readonly slope: number;
} {
  const sum = (of: (x: number, y: number) => number): number =>
    points.reduce((total, [x, y]) => total + of(x, y) / y ** 2, 0);
  const [start, slope] = solve([
    [sum(() => 1), sum((x) => x), sum((_, y) => y)],
    [sum((x) => x), sum((x) => x * x), sum((x, y) => x * y)],
  ]);
  return { start: start!, slope: slope! };
}

/** The solution of linear equations, each row's last number being its right side (Gauss and Jordan). */
function solve(rows: readonly (readonly number[])[]): number[] {
  const all = rows.map((row) => [...row]);
  for (let i = 0; i < all.length; i++) {
    const pivot = all[i]!.map((value) => value / all[i]![i]!);
    all[i] = pivot;
    for (let j = 0; j < all.length; j++)
      if (j !== i) {
        const factor = all[j]![i]!;
        all[j] = all[j]!.map((value, k) => value - factor * pivot[k]!);
      }
  }
  return all.map((row) => row.at(-1)!);
}
