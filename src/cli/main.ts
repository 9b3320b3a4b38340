import { runCommand } from "../measure/process.ts";
import { mezo } from "./program.ts";

await runCommand(mezo);
