import { Command } from "commander";
import { parseCommand } from "../../src/cli/commandLine.ts";
import { readRequest, tableCommand } from "../../src/cli/options.ts";
import type { MeasureRequest } from "../../src/measure/request.ts";

/** The request of a command line of `mezo table`. Throws a KitError for what is wrong with it. */
export function requestFrom(argv: readonly string[]): MeasureRequest {
  const command = tableCommand();
  new Command("mezo").addCommand(command);
  parseCommand(command, argv);
  return readRequest(command);
}
