import { spawnSync } from "node:child_process";
import { KitError } from "../error.ts";
import { forgetLinked } from "../tensor/tensorflow/link.ts";
import { runCommand } from "./commandLine.ts";

/** Runs the install script of the optional package @tensorflow/tfjs-node-gpu, which `npm ci` leaves out: it downloads TensorFlow's library. */
function main(): void {
  process.stdout.write(
    "Fetching TensorFlow 2.9.1 of 2022 (hundreds of megabytes), the one of @tensorflow/tfjs-node-gpu. It needs CUDA 11.2, which knows no GPU from Hopper (H100, H200) on; npm run gpu:link -- <folder> links TensorFlow as it is today.\n",
  );
  const command = ["explore", "@tensorflow/tfjs-node-gpu", "--", "npm", "run", "install"];
  const { status, stderr } = spawnSync("npm", command, { stdio: ["ignore", "inherit", "pipe"], encoding: "utf8" });
  if (status === 0) {
    forgetLinked();
    return;
  }
  const reason = stderr
    .split("\n")
    .find((line) => /^(Error|.*\bENOTFOUND\b|.*\bECONNREFUSED\b|npm error (code|enoent))/.test(line.trim()));
  throw new KitError(
    `The library of @tensorflow/tfjs-node-gpu was not installed (${reason?.trim() ?? `exit code ${status}`}): try again with a network; the kit runs without it.`,
  );
}

await runCommand(main);
