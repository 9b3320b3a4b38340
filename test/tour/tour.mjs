import { readFileSync, realpathSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

// What a reader of one step has to read: the files in which a function runs during one call of tune(model, task, mezo(…)), by V8's coverage
// of dist/. Prints [file, its lines as V8 has them, compiled, and how many of these ran] for each as JSON.
const root = resolve(import.meta.dirname, "../..");
const dist = realpathSync(join(root, "dist"));
const { loadModel, loadTask, mezo, tune } = await import(pathToFileURL(join(dist, "index.js")).href);
const model = await loadModel();
const task = await loadTask("SST-2", { train: 32, dev: 16, test: 16, seed: 1 });

const session = new Session();
session.connect();
await session.post("Profiler.enable");
await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
await session.post("Profiler.takePreciseCoverage"); // what has run so far does not count
await tune(model, task, mezo({ lr: 1e-4 }), { steps: 2 });
const { result } = await session.post("Profiler.takePreciseCoverage");

/** The lines of a compiled file that ran, without comments and empty ones. */
function linesRun(text, functions) {
  const ran = new Uint8Array(text.length);
  const isModule = ({ startOffset, endOffset }) => startOffset === 0 && endOffset >= text.length - 1; // its imports and constants
  const ranges = functions.flatMap(({ ranges }) => ranges).filter((range) => !isModule(range));
  const widestFirst = ranges.toSorted((a, b) => b.endOffset - b.startOffset - (a.endOffset - a.startOffset));
  for (const { startOffset, endOffset, count } of widestFirst) ran.fill(count > 0 ? 1 : 0, startOffset, endOffset);
  let at = 0;
  return text.split("\n").filter((line) => {
    const from = at;
    at += line.length + 1;
    return !/^\s*(\/\/|\/?\*|$)/.test(line) && ran.subarray(from, at - 1).includes(1);
  }).length;
}

const files = result
  .filter(({ url }) => url.startsWith("file:") && fileURLToPath(url).startsWith(dist))
  .map(({ url, functions }) => {
    const text = readFileSync(fileURLToPath(url), "utf8");
    const file = relative(dist, fileURLToPath(url)).replace(/\.js$/, ".ts");
    return [file, text.split("\n").length - 1, linesRun(text, functions)];
  })
  .filter(([, , ran]) => ran > 0);
process.stdout.write(JSON.stringify(files.sort()));
process.exit(); // threads would keep the process alive
