import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { processorLevel } from "../../../src/tensor/x86/library.ts";

test.skipIf(processorLevel() === "none").each(["", "amx-emulated"])(
  "Workers that compute at once have what one thread has, and end with their process (MEZO_CPU=%s)",
  (cpu) => {
    const { stdout, stderr, status } = spawnSync(process.execPath, [join(import.meta.dirname, "hammer.mjs")], {
      encoding: "utf8",
      env: { ...process.env, MEZO_CPU: cpu },
      timeout: 300_000,
    });
    expect({ stdout, stderr, status }).toEqual({ stdout: "[0,0,0,0]", stderr: "", status: 0 });
  },
);
