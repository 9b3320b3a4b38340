import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, lstatSync, mkdirSync, rmdirSync, rmSync, statSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";

// Compiles the benchmarks with src/ into .bench/, where they are measured as they run for users: by Node, from JavaScript. Then runs the
// one that is named first: main, backendsMain, clusterMain, clusterScaleMain, replayMain, peerMain, scaleMain or accuracyMain.
const root = resolve(import.meta.dirname, "../..");
const bench = join(root, ".bench");
const compiler = join(root, "node_modules/typescript/bin/tsc");
if (!alone(compile)) process.exit(1);
const [name, ...args] = process.argv.slice(2);
process.argv = [process.argv[0], join(bench, `test/bench/${name}.js`), ...args];
await import(process.argv[1]);

function compile() {
  const { status } = spawnSync(process.execPath, [compiler, "-p", import.meta.dirname], { stdio: ["ignore", 2, 2] });
  copyFileSync(join(root, "package.json"), join(bench, "package.json"));
  for (const path of ["data", "src/tensor/x86/linux-x64.so", "test/bench/peer"])
    link(join(root, path), join(bench, path));
  return status === 0;
}

/** Does the work while no other process does: one that compiles would change files under another. A lock of long ago is of a process that died. */
function alone(work) {
  const [lock, patienceMs] = [join(bench, ".lock"), 120_000];
  mkdirSync(bench, { recursive: true });
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch {
      const since = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
      if (Date.now() - since > patienceMs) rmSync(lock, { recursive: true, force: true });
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    }
  }
  try {
    return work();
  } finally {
    rmdirSync(lock);
  }
}

/** What is not compiled is seen where it is: a library that other processes have loaded must not be written over. */
function link(there, here) {
  if (!existsSync(there) || lstatSync(here, { throwIfNoEntry: false })?.isSymbolicLink()) return;
  rmSync(here, { force: true });
  symlinkSync(there, here, "junction");
}
