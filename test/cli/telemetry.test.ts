import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { folder } from "./mezo.ts";

const kit = resolve(import.meta.dirname, "../../dist/index.js");

/** Loads the native backend and takes a few steps of MeZO with it. */
const STEPS = `
  const { loadModel, loadTask, mezo, tune, useBackend } = await import(${JSON.stringify(kit)});
  await useBackend("native", { threads: 1 });
  const task = await loadTask("SST-2", { train: 4, dev: 4, test: 4 });
  await tune(await loadModel(), task, mezo({ lr: 1e-6 }), { steps: 3, batchSize: 2 });
  console.log("done");
`;
const IN_A_WORKER = `
  const { Worker } = await import("node:worker_threads");
  await new Promise((done) => new Worker(${JSON.stringify(`(async () => {${STEPS}})()`)}, { eval: true }).on("exit", done));
`;

test.each([
  ["the main thread", STEPS],
  ["a Worker", IN_A_WORKER],
])("steps in %s, with a new home folder, write no file there or to the temporary folder", (_where, script) => {
  const home = folder();
  const [temporary, work] = [join(home, "tmp"), folder()];
  mkdirSync(temporary);
  // This process has switched telemetry off for itself, which its children must not inherit here.
  const { ORT_DISABLE_TELEMETRY: _, XDG_CACHE_HOME: _1, XDG_CONFIG_HOME: _2, XDG_DATA_HOME: _3, ...rest } = process.env;
  const env = { ...rest, HOME: home, USERPROFILE: home, TMPDIR: temporary, TEMP: temporary };
  const ended = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    cwd: work,
    env,
    encoding: "utf8",
  });
  expect(ended.stderr).toBe("");
  expect(ended.stdout).toBe("done\n");
  expect(readdirSync(home, { recursive: true })).toEqual(["tmp"]);
  expect(readdirSync(work)).toEqual([]);
});
