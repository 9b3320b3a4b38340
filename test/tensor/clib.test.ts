import { execFileSync } from "node:child_process";
import { writeSync } from "node:fs";
import { expect, test } from "vitest";
import { captureStderr, setEnvironment } from "../../src/tensor/clib.ts";

test("what is written to stderr meanwhile is given and not shown, that of programs too; what throws leaves stderr as it was", () => {
  const work = (): void => {
    writeSync(2, "from here\n");
    execFileSync("node", ["-e", "console.error('from a program')"], { stdio: ["ignore", "ignore", 2] });
  };
  expect(captureStderr(work)).toBe("from here\nfrom a program\n");
  const failing = (): void => {
    throw new Error("failed");
  };
  expect(captureStderr(() => expect(() => captureStderr(failing)).toThrow("failed"))).toBe("");
  expect(captureStderr(() => void writeSync(2, "again"))).toBe("again");
});

test("variables are set for C libraries, which programs started by them inherit", () => {
  setEnvironment("MEZO_TEST_VARIABLE", "seen");
  expect(execFileSync("node", ["-p", "process.env.MEZO_TEST_VARIABLE"], { encoding: "utf8" })).toBe("seen\n");
  delete process.env.MEZO_TEST_VARIABLE;
});
