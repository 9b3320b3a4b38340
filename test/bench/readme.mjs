import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { readRun, table } from "mezo-kit";

// Runs the README's first program as a reader would, keeps its two runs in data/runs/readme, and writes below it what they print and how
// long they took; test/numbers compares both.
const root = resolve(import.meta.dirname, "../..");
const readme = join(root, "README.md");
const text = readFileSync(readme, "utf8");
const [, block] = /^```ts\n([\s\S]*?)^```$/m.exec(text);
const names = ["zeroShot", "tuned"];
const fileOf = (run) => join(root, "data/runs/readme", `${run}.jsonl`);
const keep = names.map((run) => `writeRun(${JSON.stringify(fileOf(run))}, ${run});`);
const program = join(root, ".cache/readme.mjs");
mkdirSync(join(root, ".cache"), { recursive: true });
writeFileSync(program, ['import { writeRun } from "mezo-kit";', block, ...keep].join("\n"));
rmSync(join(root, "data/runs/readme"), { recursive: true, force: true });
mkdirSync(join(root, "data/runs/readme"), { recursive: true });
try {
  await import(pathToFileURL(program).href);
} finally {
  rmSync(program);
}
const runs = names.map((run) => readRun(fileOf(run)));
const seconds = Math.ceil(runs.reduce((sum, { cost }) => sum + cost.seconds, 0));
const printed = table(runs).split("\n").slice(0, 7).join("\n");
writeFileSync(
  readme,
  text.replace(
    /^In \d+ seconds( on two cores [^`]*```\n)[\s\S]*?(\n```)/m,
    (_, words, end) => `In ${seconds} seconds${words}${printed}${end}`,
  ),
);
