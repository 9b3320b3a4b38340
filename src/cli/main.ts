import { runCommand } from "./commandLine.ts";
import { mezo } from "./program.ts";

await runCommand(mezo);
