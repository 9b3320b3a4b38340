import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { MUTATIONS } from "./list.ts";

const root = resolve(import.meta.dirname, "../..");

/** The titles of the tests that fail in a test file where line `index` of the list is wrong, or none is. */
function failuresOf(by: string, index?: number): string[] {
  const vitest = resolve(root, "node_modules/vitest/vitest.mjs");
  const config = "test/mutations/mutated.config.ts";
  const { stdout } = spawnSync(process.execPath, [vitest, "run", `test/${by}`, "--config", config, "--reporter=json"], {
    ...{ cwd: root, encoding: "utf8", maxBuffer: 2 ** 28 },
    env: { ...process.env, MEZO_MUTATION: String(index ?? "") },
  });
  const { testResults } = JSON.parse(stdout.slice(stdout.indexOf("{"))) as {
    testResults: readonly {
      readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
    }[];
  };
  const results = testResults.flatMap(({ assertionResults }) => assertionResults);
  expect(results.length, `tests in ${by}`).toBeGreaterThan(0);
  return results.filter(({ status }) => status === "failed").map(({ fullName }) => fullName);
}

test.each([...new Set(MUTATIONS.map(({ by }) => by))])("%s passes where no line is wrong", (by) => {
  expect(failuresOf(by)).toEqual([]);
});

test.each(MUTATIONS.map(({ file, from, to, by }, index) => [file, from, to, by, index] as const))(
  "%s: %s → %s is noticed by %s",
  (file, from, _to, by, index) => {
    const text = readFileSync(resolve(root, "src", file), "utf8");
    expect(text.split(from), "the list's line is in the file once").toHaveLength(2);
    expect(failuresOf(by, index)).not.toEqual([]);
  },
);
