import { KitError } from "../error.ts";

/** Wanted numbers of examples, one for each part of a split, with the part's name. */
export type Sizes = Readonly<Record<string, number>>;

/** Throws where a wanted size is no whole number of at least 1. */
export function checkSizes(sizes: Sizes): void {
  for (const [part, size] of Object.entries(sizes)) {
    if (Number.isInteger(size) && size >= 1) continue;
    throw new KitError(`The ${part} part must have a whole number of examples, at least 1, not ${size}.`);
  }
}

/**
 * The real sizes of the parts drawn from `rows` rows: those asked for where there are enough, else in about the
 * same proportions and at least 1 each; throws where there are fewer rows than parts. Unlike the paper, whose dev part
 * keeps its 500 however few are left to train on (54 for WSC), a short file shrinks all parts alike.
 */
export function realSizes<Wanted extends Sizes>(wanted: Wanted, rows: number, from: string): Wanted {
  const parts = Object.entries(wanted);
  if (rows < parts.length) {
    const names = parts.map(([part]) => part).join(", ");
    throw new KitError(`${from} has too few rows (${rows}) for ${names} to have one each; give more rows.`);
  }
  // One row is set aside for each part and the others are shared out.
  const ends = cumulative(parts.map(([, size]) => size - 1));
  const scale = Math.min(1, (rows - parts.length) / Math.max(1, ends.at(-1)!));
  const shares = ends.map((end, index) => Math.round(end * scale) - Math.round((ends[index - 1] ?? 0) * scale));
  return Object.fromEntries(parts.map(([part], index) => [part, 1 + shares[index]!])) as Wanted;
}

function cumulative(values: readonly number[]): number[] {
  let sum = 0;
  return values.map((value) => {
    sum += value;
    return sum;
  });
}
