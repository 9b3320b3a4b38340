import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { KitError } from "../../src/error.ts";

/** The repository: this file is compiled into .bench/test/bench. */
const ROOT = resolve(import.meta.dirname, "../../..");
const MAIN = join(import.meta.dirname, "gpuMain.js");

/** Files that are no scripts, or that only another machine's run takes. */
const FURTHER = [
  "node_modules/webgpu/dist/linux-x64/dawn.node",
  "node_modules/@tensorflow/tfjs-node-gpu/binding",
  "node_modules/node-api-headers/package.json",
  "node_modules/node-api-headers/index.js",
  "node_modules/node-api-headers/symbols.js",
  "node_modules/node-api-headers/include",
  ".bench/src/tensor/x86/linux-x64.so",
  ".bench/src/tensor/tensorflow/tryAddon.js",
  ".bench/test/bench/peer",
];

const RUN = `#!/bin/sh
cd "$(dirname "$0")" && exec ./node ${relative(ROOT, MAIN)} "$@"
`;

/**
 * Writes an archive with Node and all that the check takes on Linux on x86-64: what a small run of it here loads, of both backends. On a bare
 * machine: tar -xf FILE && ./gpu-check. Throws a KitError where a backend does not load here.
 */
export function packKit(file: string): void {
  const work = mkdtempSync(join(tmpdir(), "gpu-pack-"));
  try {
    const files = [...new Set([...loadedFiles(join(work, "coverage")), ...FURTHER, koffiAddon()])];
    const stage = join(work, "stage");
    for (const path of [...files, ...manifestsOf(files)]) copy(path, stage);
    copyNode(join(stage, "node"));
    writeFileSync(join(stage, "gpu-check"), RUN, { mode: 0o755 });
    compress(stage, resolve(file));
    process.stdout.write(`${file}: ${(statSync(file).size / 1e6).toFixed(1)} MB, ${files.length} files\n`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The scripts that a small run loads, and the JSON that they require, by their paths from the root. */
function loadedFiles(coverage: string): string[] {
  const output = `${coverage}.json`;
  const args = [MAIN, "--small", "--output", output];
  const { status, stderr } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    env: { ...process.env, NODE_V8_COVERAGE: coverage },
  });
  if (status !== 0) throw new KitError(`The check was to be packed, but fails here: ${stderr}.`);
  const { device } = JSON.parse(readFileSync(output, "utf8")) as { device: { backends: Loaded[] } };
  const missing = device.backends.find(({ name, available }) => ["tensorflow", "webgpu"].includes(name) && !available);
  if (missing)
    throw new KitError(`The check was to be packed, but ${missing.name} does not load here: ${missing.detail}`);
  const scripts = readdirSync(coverage).flatMap((name) => scriptsIn(join(coverage, name)));
  return [...new Set(scripts)].flatMap((script) => [script, ...requiredBy(script)]);
}

interface Loaded {
  readonly name: string;
  readonly available: boolean;
  readonly detail: string;
}

function scriptsIn(report: string): string[] {
  const { result } = JSON.parse(readFileSync(report, "utf8")) as { result: { url: string }[] };
  const paths = result
    .filter(({ url }) => url.startsWith("file:"))
    .map(({ url }) => relative(ROOT, fileURLToPath(url)));
  return paths.filter((path) => !path.startsWith("..") && existsSync(join(ROOT, path)));
}

function requiredBy(script: string): string[] {
  const text = readFileSync(join(ROOT, script), "utf8");
  const names = [...text.matchAll(/require\(["'](\.[^"']+\.json)["']\)/g)].map(([, name]) => name!);
  return names.map((name) => join(dirname(script), name)).filter((path) => existsSync(join(ROOT, path)));
}

/** The manifests in the folders above files, by which Node knows what a file is. */
function manifestsOf(files: readonly string[]): string[] {
  const folders = files.flatMap((path) => path.split(sep).map((_, i, parts) => parts.slice(0, i).join(sep)));
  const manifests = [...new Set(folders)].map((folder) => join(folder, "package.json"));
  return manifests.filter((path) => existsSync(join(ROOT, path)));
}

/** koffi's addon for this machine, which lies in a package of its own or in koffi's. */
function koffiAddon(): string {
  const places = ["node_modules/@koromix/koffi-linux-x64", "node_modules/koffi/build/koffi/linux_x64"];
  return places.find((path) => existsSync(join(ROOT, path)))!;
}

function copy(path: string, stage: string): void {
  mkdirSync(dirname(join(stage, path)), { recursive: true });
  cpSync(join(ROOT, path), join(stage, path), { recursive: true, dereference: true });
}

/** Node without its symbols. */
function copyNode(to: string): void {
  cpSync(process.execPath, to, { dereference: true });
  spawnSync("strip", [to]);
}

function compress(stage: string, file: string): void {
  const script = 'tar -C "$1" -cf - . | xz -T1 --x86 --lzma2=preset=9e,dict=128MiB > "$2"';
  const { status, stderr } = spawnSync("sh", ["-c", script, "sh", stage, file], { encoding: "utf8" });
  if (status !== 0) throw new KitError(`${file} was to be written, but tar and xz failed: ${stderr}.`);
}
