import { expect, test, vi } from "vitest";
import { KitError } from "../../../src/error.ts";
import { explainFailure, readGpuReason } from "../../../src/tensor/tensorflow/messages.ts";
import { standIn } from "../../standIn.ts";

const CHATTER = `WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1796003302.807812   12450 port.cc:153] oneDNN custom operations are on. You may see slightly different results.
`;
const CUINIT =
  "E0000 00:00:1796003302.895745   12450 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error: Failed call to cuInit: UNKNOWN ERROR (303)\n";

test.each([
  [
    `${CHATTER}I0000 00:00:1.8 12450 cudart_stub.cc:31] Could not find cuda drivers on your machine, GPU will not be used.\n${CUINIT}`,
    "Could not find cuda drivers on your machine",
  ],
  [CHATTER + CUINIT, "failed call to cuInit: INTERNAL: CUDA error: Failed call to cuInit: UNKNOWN ERROR (303)"],
  [
    `${CHATTER}W0000 00:00:1.8 1 gpu_device.cc:2342] Cannot dlopen some GPU libraries. Please make sure the missing libraries are installed.`,
    "Cannot dlopen some GPU libraries",
  ],
  [CHATTER, undefined],
])("TensorFlow's own reason for using no GPU is found in what it writes", (written, reason) => {
  expect(readGpuReason(written)).toBe(reason);
});

const OOM = (device: string): string =>
  `Invalid TF_Status: 8\nMessage: OOM when allocating tensor with shape[4096,50272] and type half on /job:localhost/replica:0/task:0/device:${device}:0 by allocator ${device}_0_bfc`;

test.each([
  [
    "a GPU's memory",
    OOM("GPU"),
    /^TensorFlow was asked for MatMul, but a tensor \[4096,50272\] of half did not fit in NVIDIA H200's 140\.4 GiB, of which 1 GiB are free: take fewer or shorter rows at a time, or weights in 16 bits\.$/,
  ],
  ["this machine's", OOM("CPU"), /^TensorFlow was asked for MatMul, but .* did not fit in this machine's memory: /],
  [
    "a tensor that is too large",
    "Invalid TF_Status: 3\nMessage: Shape [2147483647,2147483647,2147483647] would have more than 2**63 - 1 elements",
    /^TensorFlow was asked for MatMul, which has too many elements for it \(Shape \[2147483647.*elements\): take /,
  ],
  [
    "a lost GPU",
    "Invalid TF_Status: 13\nMessage: Failed to synchronize: CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered",
    /^TensorFlow was asked for MatMul, but the GPU no longer answers \(Failed .*CUDA_ERROR_ILLEGAL_ADDRESS.*\): start the command again, where it has --resume with it\.$/,
  ],
  [
    "an assertion on it",
    "device-side assert triggered",
    /but the GPU no longer answers \(device-side assert triggered\)/,
  ],
])("an error of TensorFlow's is one sentence that says what was asked: %s", (_what, said, sentence) => {
  standIn("nvidia-smi", "echo NVIDIA H200, 143771, 1024");
  const error = explainFailure(new Error(said), "MatMul");
  vi.unstubAllEnvs();
  expect(error).toBeInstanceOf(KitError);
  expect((error as Error).message).toMatch(sentence);
});

test("an error with another cause stays what it is", () => {
  const error = new Error("Invalid TF_Status: 3\nMessage: Matrix size-incompatible: In[0]: [8,4], In[1]: [8,4]");
  expect(explainFailure(error, "MatMul")).toBe(error);
});
