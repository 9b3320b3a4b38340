import Table from "cli-table3";
import { type Availability, probeBackends } from "../tensor/backend.ts";

/** Widths of the table's columns in characters, which the texts are wrapped to. */
const WIDTHS = [12, 11, 50, 44];

/** A table of the kit's backends for the terminal: which this machine has and on what, why others are missing, and how to get each. */
export async function backendsReport(): Promise<string> {
  const grid = new Table({
    head: ["backend", "available", "runs on, or why not", "what it is"],
    colWidths: WIDTHS,
    wordWrap: true,
    style: { head: [], border: [] },
  });
  grid.push(...(await probeBackends()).map(row));
  return grid.toString();
}

const row = ({ name, about, available, detail }: Availability): string[] => [
  name,
  available ? "yes" : "no",
  detail,
  about,
];
