import { Command } from "commander";
import { toTerminal } from "../report/table.ts";
import { type Availability, probeBackends } from "../tensor/backend.ts";

/** The table's columns, whose texts are wrapped to these widths in characters. */
const COLUMNS = [
  { name: "backend", align: "left", width: 10 },
  { name: "available", align: "left", width: 9 },
  { name: "runs on, or why not", align: "left", width: 48 },
  { name: "what it is", align: "left", width: 42 },
] as const;

/** As much of a word, a folder's path, as the third column is wide. */
const LONG_WORD = new RegExp(`\\S{${COLUMNS[2].width}}`, "g");

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
  return toTerminal({ columns: COLUMNS, rows: (await probeBackends()).map(row) });
}

const row = ({ name, about, available, detail }: Availability): string[] => [
  name,
  available ? "yes" : "no",
  detail.replace(LONG_WORD, "$& "),
  about,
];
