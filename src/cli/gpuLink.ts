import { Command } from "commander";
import { KitError } from "../error.ts";
import { findGpus } from "../tensor/gpu.ts";
import { findTensorFlow } from "../tensor/tensorflow/library.ts";
import { type Linked, linkTensorFlow } from "../tensor/tensorflow/link.ts";
import { gibibytes } from "../tensor/tensorflow/messages.ts";

const EXAMPLES = `
Examples:
  npx mezo gpu-link path/to/venv                 where python3 -m venv and pip install 'tensorflow[and-cuda]' have put one
  npx mezo gpu-link /usr/lib/python3/dist-packages/tensorflow
  npx mezo --backend tensorflow                  then computes on it`;

/** The command that links the backend `tensorflow` to a TensorFlow on this machine. */
export const makeLinkCommand = (): Command =>
  new Command("gpu-link")
    .description(
      "Links the backend tensorflow to a TensorFlow of this machine, 2.16 or later, by compiling the addon of @tensorflow/tfjs-node-gpu with g++.",
    )
    .summary("links the backend tensorflow to a TensorFlow on this machine")
    .argument("[folder]", "a Python environment, the tensorflow/ of a wheel, or an unpacked C library")
    .addHelpText("after", EXAMPLES)
    .action(link);

function link(folder: string | undefined): void {
  if (folder === undefined)
    throw new KitError(
      "TensorFlow was to be linked, but no folder was named that holds one: npx mezo gpu-link <a Python environment, the tensorflow/ of a wheel, or an unpacked C library>.",
    );
  const library = findTensorFlow(folder);
  process.stderr.write("Compiling the addon, about half a minute ...\n");
  process.stdout.write(`${linkedText(linkTensorFlow(library))}\n`);
}

function linkedText({ version, folder, isOnGpu, reason }: Linked): string {
  const why = reason ?? "TensorFlow gives no reason, as builds of it without CUDA do";
  return [
    `TensorFlow ${version} of ${folder} is linked and ${isOnGpu ? `uses ${cardText()}` : `uses no GPU: ${why}`}.`,
    "npm ci and npm install may set node_modules anew: link it again after them.",
  ].join("\n");
}

function cardText(): string {
  const [gpu] = findGpus();
  return gpu ? `${gpu.name}, ${gibibytes(gpu.totalBytes)}, ${gibibytes(gpu.freeBytes)} free` : "a GPU";
}
