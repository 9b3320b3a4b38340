import Table from "cli-table3";
import { Command } from "commander";
import { type Availability, probeBackends } from "../tensor/backend.ts";

/** Widths of the table's columns in characters, which the texts are wrapped to. */
const WIDTHS = [12, 11, 50, 44];

/** The command that says where this machine can compute. */
export const makeBackendsCommand = (): Command =>
  new Command("backends")
    .description("Lists where this machine can compute, and why others are missing.")
    .summary("lists where this machine can compute")
    .addHelpText("after", "\nExample:\n  npx mezo backends")
    .action(async () => {
      process.stdout.write(`${await backendsReport()}\n`);
      process.exit(0); // a GPU's driver would keep the process alive
    });

/** A table of the kit's backends for the terminal: which this machine has and on what, why others are missing, and how to get each. */
async function backendsReport(): Promise<string> {
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
