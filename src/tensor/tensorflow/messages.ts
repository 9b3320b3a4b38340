import { KitError, shorten } from "../../error.ts";
import { findGpus } from "../gpu.ts";

/** What TensorFlow writes to stderr where it uses no GPU, the plainest first. */
const NO_GPU = [
  /Could not find cuda drivers on your machine/,
  /failed call to cuInit: .*/,
  /Cannot dlopen some GPU libraries/,
  /no CUDA-capable device is detected/,
];

/** Why TensorFlow uses no GPU, in its own words, where what it wrote to stderr while it was loaded has the reason. */
export function readGpuReason(written: string): string | undefined {
  const [reason] = NO_GPU.flatMap((pattern) => pattern.exec(written)?.[0] ?? []);
  return reason && shorten(reason);
}

const GIB = 2 ** 30;

/** "139.8 GiB" */
export const gibibytes = (bytes: number): string =>
  `${(bytes / GIB).toLocaleString("en", { maximumFractionDigits: 1 })} GiB`;

const OUT_OF_MEMORY =
  /RESOURCE_EXHAUSTED|ResourceExhausted|OOM when allocating|out of memory|CUDA_ERROR_OUT_OF_MEMORY|TF_Status: 8\b/i;
const TOO_LARGE =
  /too many elements|overflow(ed)? (when|computing)|more than 2\*\*63|must be less than 2\^31|exceeds? (int32|2\^31)|Invalid (typed array|array buffer) length|Array buffer allocation failed|larger than 2 ?GB/i;
const LOST =
  /CUDA_ERROR_|CUBLAS_STATUS_|device-side|GPU is lost|illegal memory access|unspecified launch failure|uncorrectable ECC|Unexpected Event status/i;

/**
 * What to throw for an error of TensorFlow's while it was asked for something ("MatMul of [4096,768] and [768,50272]"): a KitError where
 * memory did not suffice, a tensor has too many elements or the GPU was lost, else the error itself.
 */
export function explainFailure(error: unknown, asked: string): unknown {
  const said = (error as Error).message ?? "";
  const wanted = `TensorFlow was asked for ${asked}`;
  if (OUT_OF_MEMORY.test(said)) return new KitError(`${wanted}, but ${memoryFinding(said)}`);
  if (TOO_LARGE.test(said))
    return new KitError(
      `${wanted}, which has too many elements for it (${plain(said)}): take fewer rows or shorter ones.`,
    );
  if (LOST.test(said))
    return new KitError(
      `${wanted}, but the GPU no longer answers (${plain(said)}): start the command again, where it has --resume with it.`,
    );
  return error;
}

function memoryFinding(said: string): string {
  const tensor = /tensor with shape ?\[([\d,]*)\] and type (\w+)/.exec(said);
  const size = tensor ? `a tensor [${tensor[1]}] of ${tensor[2]} did not fit` : "memory did not suffice";
  return `${size} in ${placeOf(said)}: take fewer or shorter rows at a time, or weights in 16 bits.`;
}

function placeOf(said: string): string {
  const [gpu] = /device:CPU/.test(said) ? [] : findGpus();
  if (gpu) return `${gpu.name}'s ${gibibytes(gpu.totalBytes)}, of which ${gibibytes(gpu.freeBytes)} are free`;
  return /device:GPU/.test(said) ? "the GPU's memory" : "this machine's memory";
}

/** What an error says, without the number of its kind. */
const plain = (said: string): string =>
  shorten(said.replace(/^Invalid TF_Status: \d+\s*Message: /, "").replace(/\.$/, ""));
