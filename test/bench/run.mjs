import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, lstatSync, rmSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";

// Compiles the benchmarks with src/ into .bench/, where they are measured as they run for users: by Node, from JavaScript. Then runs the
// one that is named first: main, replayMain, peerMain, scaleMain or accuracyMain.
const root = resolve(import.meta.dirname, "../..");
const bench = join(root, ".bench");
const compiler = join(root, "node_modules/typescript/bin/tsc");
const { status } = spawnSync(process.execPath, [compiler, "-p", import.meta.dirname], { stdio: ["ignore", 2, 2] });
if (status !== 0) process.exit(1);
copyFileSync(join(root, "package.json"), join(bench, "package.json"));
for (const path of ["data", "src/tensor/x86/linux-x64.so", "test/bench/peer"])
  link(join(root, path), join(bench, path));
const [name, ...args] = process.argv.slice(2);
process.argv = [process.argv[0], join(bench, `test/bench/${name}.js`), ...args];
await import(process.argv[1]);

/** What is not compiled is seen where it is: a library that other processes have loaded must not be written over. */
function link(there, here) {
  if (!existsSync(there) || lstatSync(here, { throwIfNoEntry: false })?.isSymbolicLink()) return;
  rmSync(here, { force: true });
  symlinkSync(there, here, "junction");
}
