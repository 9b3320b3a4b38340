import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { argv, execPath, pid } from "node:process";
import { fileURLToPath } from "node:url";

// Builds dist/ where src/ has changed, and disturbs nothing that runs: each build is compiled into a folder of its own, .dist-<id of its
// sources>, which stays as it is and from which commands that are at work start their processes (src/measure/process.ts). dist/ is a copy of the
// newest, and takes the place of the one before by renaming.

const ROOT = resolve(import.meta.dirname, "..");
const DIST = join(ROOT, "dist");
const COMPILER = join(ROOT, "node_modules/typescript/bin/tsc");
/** The compiled kernels, which are read as they are. */
const LIBRARY = join("tensor", "x86", "linux-x64.so");
const DAY = 24 * 3600 * 1000;

/** For how long a build stays that another has replaced, since commands may be at work with it. */
const KEPT_DAYS = 30;

/** Builds dist/ unless it is of these very sources; where that cannot be, says why on stderr and sets the exit code. */
export function build() {
  try {
    const id = sourcesId();
    if (builtFrom(DIST) === id && existsSync(frozen(id))) return;
    if (!existsSync(frozen(id))) compile(id);
    publish(id);
    removeOld();
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}

const frozen = (id) => join(ROOT, `.dist-${id}`);

/** The id of the sources that dist/ or another whole build was made from. */
function builtFrom(folder) {
  const note = join(folder, ".build");
  return existsSync(note) ? readFileSync(note, "utf8") : undefined;
}

/** 12 hexadecimal digits of the SHA-256 over all that a build depends on. */
function sourcesId() {
  const sources = filesBelow(join(ROOT, "src"));
  const settings = ["bin/build.js", "tsconfig.json", "tsconfig.build.json", "node_modules/typescript/package.json"]
    .map((name) => join(ROOT, name))
    .filter((file) => existsSync(file));
  const hash = createHash("sha256");
  for (const file of [...sources.sort(), ...settings])
    hash
      .update(`${file.slice(ROOT.length)}\0`)
      .update(readFileSync(file))
      .update("\0");
  return hash.digest("hex").slice(0, 12);
}

const filesBelow = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, path, name }) => join(parentPath ?? path, name));

/** Compiles into a folder that no other build knows, which gets its name when it is whole. */
function compile(id) {
  if (!existsSync(COMPILER))
    throw new Error("The kit was to be built, but TypeScript is not installed: run npm ci, dev dependencies included.");
  process.stderr.write("Building the kit from src/, a few seconds ...\n");
  const fresh = `${frozen(id)}.${pid}`;
  const args = [COMPILER, "-p", join(ROOT, "tsconfig.build.json"), "--outDir", fresh];
  const { status } = spawnSync(execPath, args, { stdio: ["ignore", 2, 2] });
  if (status !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    throw new Error("The kit was not built, for the reasons above; dist/ is as it was.");
  }
  for (const file of filesBelow(fresh)) if (file.endsWith(".d.ts")) useOwnTensors(file, fresh);
  if (existsSync(join(ROOT, "src", LIBRARY))) cpSync(join(ROOT, "src", LIBRARY), join(fresh, LIBRARY));
  writeFileSync(join(fresh, ".build"), id);
  if (!renamed(fresh, frozen(id))) rmSync(fresh, { recursive: true }); // another build of the same sources was faster
}

/** Has a published declaration name the kit's own types of tensors, for the reason that src/tensor/tensor.ts gives. */
function useOwnTensors(file, root) {
  const path = relative(dirname(file), join(root, "tensor", "tensor.js"))
    .split(sep)
    .join("/");
  const own = path.startsWith(".") ? path : `./${path}`;
  writeFileSync(file, readFileSync(file, "utf8").replaceAll('from "@tensorflow/tfjs-core"', `from "${own}"`));
}

/** Puts a copy of a build in the place of dist/, whoever else does the same at that moment. */
function publish(id) {
  const [fresh, old] = [`${frozen(id)}.${pid}`, join(ROOT, `.dist-old.${pid}`)];
  const replaced = builtFrom(DIST);
  cpSync(frozen(id), fresh, { recursive: true });
  for (let tries = 0; builtFrom(DIST) !== id && tries < 100; tries++) {
    if (existsSync(DIST)) renamed(DIST, old);
    renamed(fresh, DIST);
    rmSync(old, { recursive: true, force: true });
  }
  rmSync(fresh, { recursive: true, force: true });
  if (builtFrom(DIST) !== id)
    throw new Error("The kit was built, but dist/ cannot be replaced: close what is open there.");
  if (replaced && existsSync(frozen(replaced))) utimesSync(frozen(replaced), new Date(), new Date()); // its days begin
}

/** Renames a folder; false where another took the old name or the new one first. */
function renamed(from, to) {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (["ENOTEMPTY", "EEXIST", "EPERM", "ENOENT"].includes(error.code)) return false;
    throw error;
  }
}

/** Removes builds that were replaced long ago, and what those have left that were cut short. */
function removeOld() {
  for (const name of readdirSync(ROOT).filter((name) => name.startsWith(".dist-"))) {
    const folder = join(ROOT, name);
    const days = (Date.now() - (statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())) / DAY;
    const isWhole = name === `.dist-${builtFrom(folder)}`;
    if (days > (isWhole ? KEPT_DAYS : 1) && builtFrom(folder) !== builtFrom(DIST))
      rmSync(folder, { recursive: true, force: true });
  }
}

if (fileURLToPath(import.meta.url) === resolve(argv[1] ?? "")) build();
