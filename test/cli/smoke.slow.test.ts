import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readRun } from "../../src/record/read.ts";
import { probeBackends } from "../../src/tensor/backend.ts";
import { tinyData, tinyModel } from "../tiny.ts";
import { mezo } from "./mezo.ts";

/** The methods that the command measures where it is told none, as its table names them. */
const METHODS = [
  ...["Majority", "Zero-shot", "ICL", "LP", "FT", "FT (LoRA)", "FT (prefix)"],
  ...["MeZO", "MeZO (LoRA)", "MeZO (prefix)"],
];

/** What the command runs on: the bundled model, but for a GPU a tiny one, since a GPU in software would take the other a quarter of an hour. */
const SUBJECTS: Readonly<Record<string, () => readonly string[]>> = {
  tensorflow: () => [],
  webgpu: () => ["--model", tinyModel(), "--data", tinyData(200)],
};

const found = (await probeBackends()).filter(({ name }) => name in SUBJECTS);

describe.each(found)("the command in small on the backend $name", ({ name, available, detail }) => {
  test.skipIf(!available)(
    `ends with the table of all methods, their runs computed there and their weights hashed${available ? "" : ` (skipped: ${detail})`}`,
    () => {
      const places = ["--out", "runs", "--figures", "figures"];
      const { status, stdout, stderr, cwd } = mezo("--backend", name, ...SUBJECTS[name]!(), "--smoke", ...places);
      expect(stderr).not.toContain("Error");
      expect(status).toBe(0);
      for (const method of METHODS)
        expect(stdout).toMatch(new RegExp(`│ ${method.replace(/[()]/g, "\\$&")} +│ +\\d+\\.\\d ± \\d+\\.\\d`));
      const runs = readdirSync(join(cwd, "runs")).map((file) => readRun(join(cwd, "runs", file)));
      expect(runs).toHaveLength(METHODS.length);
      for (const { header } of runs) expect(header.backend).toBe(name);
      for (const { steps, scores } of runs)
        if (steps.length > 0) expect(scores.at(-1)!.theta).toMatch(/^[0-9a-f]{16}$/);
    },
    1_800_000, // a GPU in software, beside other work
  );
});
