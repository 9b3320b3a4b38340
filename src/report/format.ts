import type { MethodSummary } from "./summary.ts";

const MEBIBYTE = 2 ** 20;

/** A share of 1 as percent with one decimal: "91.4". */
export function percent(share: number): string {
  return (100 * share).toFixed(1);
}

/** Bytes as MiB. */
export function mebibytes(bytes: number): number {
  return bytes / MEBIBYTE;
}

/** A number without decimals, thousands apart: "1,000". */
export function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** One line on what ± and n are in these summaries: binomial for one run, of the mean over seeds for several. */
export function errorCaption(summaries: readonly MethodSummary[]): string {
  const several = summaries.filter(({ seeds }) => seeds.length > 1);
  const single = summaries.filter(({ seeds }) => seeds.length === 1);
  const kinds = [
    ...(several.length > 0
      ? [`± standard error of the mean over ${seedCounts(several)} seeds${only(several, single)}`]
      : []),
    ...(single.length > 0 ? [`± binomial standard error of one run${only(single, several)}`] : []),
  ];
  return `${kinds.join("; ")}; n = ${testRows(summaries)} test rows${several.length > 0 ? " each" : ""}`;
}

/** Names the methods that a kind of error belongs to, where there are others. */
function only(own: readonly MethodSummary[], others: readonly MethodSummary[]): string {
  return others.length === 0 ? "" : ` (${own.map(({ method }) => method).join(", ")})`;
}

function seedCounts(summaries: readonly MethodSummary[]): string {
  return range(summaries.map(({ seeds }) => seeds.length));
}

function testRows(summaries: readonly MethodSummary[]): string {
  return range(summaries.flatMap(({ n }) => n));
}

function range(values: readonly number[]): string {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low === high ? whole(low) : `${whole(low)} to ${whole(high)}`;
}
