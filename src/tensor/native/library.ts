import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { KitError } from "../../error.ts";

/** The version of ONNX Runtime whose results committed runs have, to the bit. */
export const VERSION = "1.30.0";

/** The library's name on each system. */
const LIBRARY = /^(libonnxruntime\.so\.1|libonnxruntime\.1\.dylib|onnxruntime\.dll)$/;

const MACHINE = `${process.platform} ${process.arch}`;

/** Where onnxruntime-node has the libraries of this machine's kind. */
const PLACE = join("bin", "napi-v6", process.platform, process.arch);

/** Where the kit has them itself: a folder of the installed package. */
const OWN = join(resolve(import.meta.dirname, "../../.."), "runtime", `onnxruntime-${VERSION}`);

/**
 * The path of ONNX Runtime's library: that of the package onnxruntime-node where it is installed in this very version, else the kit's own.
 * Where there is neither, the kit's own is fetched first. Throws a KitError where that fails.
 */
export function libraryPath(): string {
  const found = findLibrary();
  if (found) return found;
  process.stderr.write(
    `Fetching ONNX Runtime ${VERSION} for ${MACHINE} from npm's registry, once (about 100 MB) ...\n`,
  );
  fetchLibrary();
  return findLibrary()!;
}

/** The path of ONNX Runtime's library, if it is here. */
export function findLibrary(): string | undefined {
  const folders = [installedFolder(), join(OWN, PLACE)].filter((folder) => folder !== undefined && existsSync(folder));
  const files = folders.flatMap((folder) => readdirSync(folder!).map((name) => ({ name, path: join(folder!, name) })));
  return files.find(({ name }) => LIBRARY.test(name))?.path;
}

function installedFolder(): string | undefined {
  const require = createRequire(import.meta.url);
  try {
    const manifest = require.resolve("onnxruntime-node/package.json");
    return require(manifest).version === VERSION ? join(dirname(manifest), PLACE) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Takes the libraries for this machine out of the package onnxruntime-node, which npm fetches. It is no dependency of the kit: it has the
 * libraries of all systems, 290 MB, and its install script downloads those for CUDA, which the kit does not use, from another place than
 * npm's registry, and fails where that is not reached. Throws a KitError where npm cannot fetch it, or it has none for this machine.
 */
export function fetchLibrary(): void {
  mkdirSync(OWN, { recursive: true });
  const work = mkdtempSync(join(OWN, ".part-"));
  try {
    writeFileSync(join(work, "package.json"), "{}");
    install(work, `onnxruntime-node@${VERSION}`);
    const fetched = join(work, "node_modules", "onnxruntime-node", PLACE);
    if (!existsSync(fetched))
      throw new KitError(`ONNX Runtime has no library for ${MACHINE}: choose another backend with useBackend.`);
    mkdirSync(dirname(join(OWN, PLACE)), { recursive: true });
    if (!existsSync(join(OWN, PLACE))) renameSync(fetched, join(OWN, PLACE));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Has npm install a package in a folder, without its scripts. */
function install(folder: string, wanted: string): void {
  const { npm_execpath: npm } = process.env; // set where npm itself has started this process
  const [command, first] = npm?.endsWith(".js") ? [process.execPath, [npm]] : ["npm", []];
  const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
  const { status, stderr, error } = spawnSync(command, [...first, "install", ...options, wanted], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, npm_config_global: "", npm_config_prefix: "", npm_config_local_prefix: folder },
    shell: process.platform === "win32" && command === "npm",
  });
  if (status === 0) return;
  const reason = error?.message ?? stderr.split("\n").find((line) => line.includes("error")) ?? `exit code ${status}`;
  throw new KitError(
    `ONNX Runtime's library for ${MACHINE} was to be fetched with npm, but that failed (${reason.trim()}): run npm rebuild mezo-kit where npm's registry is reached.`,
  );
}
