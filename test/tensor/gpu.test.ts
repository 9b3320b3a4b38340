import { afterEach, expect, test, vi } from "vitest";
import { findGpus } from "../../src/tensor/gpu.ts";
import { emptyFolder, standIn } from "../standIn.ts";

afterEach(() => void vi.unstubAllEnvs());

const H200 = "NVIDIA H200, 143771, 143161";

test("GPUs have the name and the bytes that nvidia-smi gives in MiB, and one without them is left out", () => {
  vi.stubEnv("CUDA_VISIBLE_DEVICES", undefined);
  standIn("nvidia-smi", `[ $# = 2 ] && printf '%s\\n' '${H200}' 'NVIDIA GB10, [N/A], [N/A]' 'Tesla T4, 15360, 0'`);
  expect(findGpus()).toEqual([
    { name: "NVIDIA H200", totalBytes: 143771 * 1048576, freeBytes: 143161 * 1048576 },
    { name: "Tesla T4", totalBytes: 15360 * 1048576, freeBytes: 0 },
  ]);
});

test("only GPUs that CUDA sees are asked for", () => {
  standIn("nvidia-smi", `[ "$3" = --id=1 ] && echo '${H200}'`);
  vi.stubEnv("CUDA_VISIBLE_DEVICES", "1");
  expect(findGpus()).toHaveLength(1);
  vi.stubEnv("CUDA_VISIBLE_DEVICES", "0");
  expect(findGpus()).toEqual([]);
  vi.stubEnv("CUDA_VISIBLE_DEVICES", "");
  expect(findGpus()).toEqual([]);
});

test("there are none where the program fails or is not there", () => {
  standIn(
    "nvidia-smi",
    "echo 'NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.'; exit 9",
  );
  expect(findGpus()).toEqual([]);
  vi.stubEnv("PATH", emptyFolder());
  expect(findGpus()).toEqual([]);
});
