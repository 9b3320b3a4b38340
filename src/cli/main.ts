import { runCommand } from "./exit.ts";
import { mezo } from "./program.ts";

await runCommand(mezo);
