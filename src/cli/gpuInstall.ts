import { spawnSync } from "node:child_process";
import { KitError } from "../error.ts";
import { runCommand } from "./commandLine.ts";

/** Runs the install script of the optional package @tensorflow/tfjs-node-gpu, which `npm ci` leaves out: it downloads TensorFlow's library. */
function main(): void {
  process.stdout.write(
    "Fetching the library of @tensorflow/tfjs-node-gpu (hundreds of megabytes; needs CUDA to be of use).\n",
  );
  const command = ["explore", "@tensorflow/tfjs-node-gpu", "--", "npm", "run", "install"];
  const { status, stderr } = spawnSync("npm", command, { stdio: ["ignore", "inherit", "pipe"], encoding: "utf8" });
  if (status === 0) return;
  const reason = stderr
    .split("\n")
    .find((line) => /^(Error|.*\bENOTFOUND\b|.*\bECONNREFUSED\b|npm error (code|enoent))/.test(line.trim()));
  throw new KitError(
    `The library of @tensorflow/tfjs-node-gpu was not installed (${reason?.trim() ?? `exit code ${status}`}): try again with a network; the kit runs without it.`,
  );
}

await runCommand(main);
