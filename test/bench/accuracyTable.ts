import { numberColumns, toTerminal } from "../../src/report/table.ts";
import type { Products } from "../../src/tensor/products.ts";
import type { AccuracyRequest, Measured } from "./accuracy.ts";

/** How near the projected gradients of some products are to those in double precision, over the directions of a model at an eps. */
export interface Accuracy {
  readonly model: string;
  readonly eps: number;
  readonly products: Products;
  readonly directions: number;
  /** The standard deviation over the directions, in double precision. */
  readonly spread: number;
  /** The root mean square of the differences, as a share of the spread. */
  readonly error: number;
  /** The largest difference, as a share of the spread. */
  readonly worst: number;
  /** The share of directions in which both have one sign. */
  readonly sameSign: number;
  /** Of the line through 0 that gives them from those in double precision with the least squares. */
  readonly slope: number;
}

/** The accuracy of every kind of products, a model and an eps after the other. */
export function accuracies({ models, eps, products }: AccuracyRequest, measured: readonly Measured[]): Accuracy[] {
  return models.flatMap((model) =>
    eps.flatMap((each) => {
      const own = measured.filter((one) => one.model === model && one.eps === each);
      return products.map((kind) => ({ model, eps: each, products: kind, ...compare(own, kind) }));
    }),
  );
}

function compare(own: readonly Measured[], kind: Products): Omit<Accuracy, "model" | "eps" | "products"> {
  const pairs = own.map(({ reference, found }) => [reference, found[kind]!] as const);
  const average = (of: (reference: number, found: number) => number): number =>
    pairs.reduce((sum, [reference, found]) => sum + of(reference, found), 0) / pairs.length;
  const mean = average((reference) => reference);
  const spread = Math.sqrt(average((reference) => (reference - mean) ** 2));
  return {
    directions: pairs.length,
    spread,
    error: Math.sqrt(average((reference, found) => (found - reference) ** 2)) / spread,
    worst: Math.max(...pairs.map(([reference, found]) => Math.abs(found - reference))) / spread,
    sameSign: average((reference, found) => (Math.sign(reference) === Math.sign(found) ? 1 : 0)),
    slope: average((reference, found) => reference * found) / average((reference) => reference ** 2),
  };
}

const HEAD = ["", "eps", "products", "spread of g", "rms error, %", "largest, %", "same sign, %", "slope"];

/** What `npm run bench:accuracy` prints. */
export function accuracyText(rows: readonly Accuracy[], { rows: sentences }: AccuracyRequest, level: string): string {
  const cells = rows.map(({ model, eps, products, spread, error, worst, sameSign, slope }) => [
    ...[model, String(eps), products, spread.toPrecision(3)],
    ...[percent(error), percent(worst), (100 * sameSign).toFixed(1), slope.toFixed(5)],
  ]);
  const head = `Projected gradients g of MeZO on ${level}, ${rows[0]!.directions} directions, each on ${sentences} sentences of its own, against float64`;
  return `${head}\n${toTerminal({ columns: numberColumns(HEAD), rows: cells })}\nErrors are shares of the spread of g over the directions.`;
}

const percent = (share: number): string => Number((100 * share).toPrecision(2)).toString();
