import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { KitError, NotInstalled, shorten } from "../../error.ts";
import type { Library } from "./library.ts";
import { readGpuReason } from "./messages.ts";
import type { Failed, Tried } from "./tryAddon.ts";

const PACKAGE = "@tensorflow/tfjs-node-gpu";

/** What the package's addon is linked to. */
export interface Linked {
  /** TensorFlow's: "2.21.0" */
  readonly version: string;
  /** The real folder of its libraries. */
  readonly folder: string;
  /** Whether it used a GPU when it was linked. */
  readonly isOnGpu: boolean;
  /** Why not, where it told. */
  readonly reason?: string | undefined;
}

/** What the addon was linked to last, if anything. */
export function readLinked(): Linked | undefined {
  try {
    return JSON.parse(readFileSync(noteBeside(addonPath()), "utf8"));
  } catch {
    return undefined;
  }
}

/** Forgets what the addon was linked to, as another takes its place. */
export function forgetLinked(): void {
  rmSync(noteBeside(addonPath()), { force: true });
}

/**
 * Compiles the package's addon against a TensorFlow, tries it in a process of its own, and puts it into its
 * place. Throws a KitError for what keeps it from that; the addon that was there stays then.
 */
export function linkTensorFlow(library: Library): Linked {
  const addon = addonPath();
  const work = makeFolderIn(dirname(addon));
  try {
    const [fresh, note] = [join(work, "addon.node"), join(work, "linked.json")];
    compile(library, fresh);
    const linked = tryAddon(fresh, library);
    writeFileSync(note, JSON.stringify(linked));
    renameSync(fresh, addon);
    renameSync(note, noteBeside(addon));
    return linked;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Where the package looks for its addon. Throws a NotInstalled where it is not there. */
function addonPath(): string {
  const manifest = manifestPath();
  const { find } = createRequire(manifest)("@mapbox/node-pre-gyp") as { find(manifest: string): string };
  return find(manifest);
}

function manifestPath(): string {
  try {
    return createRequire(import.meta.url).resolve(`${PACKAGE}/package.json`);
  } catch {
    const advice = `the package ${PACKAGE} is not installed: npm install --ignore-scripts ${PACKAGE}`;
    throw new NotInstalled("TensorFlow was to be linked", advice);
  }
}

const noteBeside = (addon: string): string => join(dirname(addon), "linked.json");

function makeFolderIn(folder: string): string {
  try {
    mkdirSync(folder, { recursive: true });
    return mkdtempSync(join(folder, ".part-"));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new KitError(`The addon of ${PACKAGE} was to be put into ${folder}, which cannot be written to (${code}).`);
  }
}

function compile({ folder, files, headers }: Library, into: string): void {
  const [compiler, ...first] = (process.env.CXX || "g++").split(" ");
  const sources = ["tfjs_backend.cc", "tfjs_binding.cc"].map((name) => join(dirname(manifestPath()), "binding", name));
  const { include_dir: node } = createRequire(import.meta.url)("node-api-headers") as { include_dir: string };
  const args = [
    ...[...first, "-std=c++17", "-O2", "-fPIC", "-shared", "-DNAPI_VERSION=8", `-I${node}`, `-I${headers}`],
    ...[...sources, ...files, `-Wl,-rpath,${folder}`, "-o", into],
  ];
  const { status, stderr, error } = spawnSync(compiler!, args, { encoding: "utf8" });
  if (status === 0) return;
  const wanted = `The addon of ${PACKAGE} was to be compiled for the TensorFlow in ${folder}`;
  if (error)
    throw new KitError(`${wanted}, but there is no C++ compiler ${compiler}: install g++, or name another in CXX.`);
  const reason = stderr.split("\n").find((line) => /\berror\b|undefined reference/.test(line)) ?? `exit code ${status}`;
  throw new KitError(
    `${wanted}, but ${compiler} failed: ${shorten(reason)}; install that TensorFlow anew, or another.`,
  );
}

/** Computes a product in a process of its own, which a library that is not for this machine may end. */
function tryAddon(addon: string, { folder, files, headers }: Library): Linked {
  const program = join(import.meta.dirname, "tryAddon.js");
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [program, addon, files[0]!], {
    encoding: "utf8",
    env: { ...process.env, TF_FORCE_GPU_ALLOW_GROWTH: "true", TF_CPP_MIN_LOG_LEVEL: "0" },
  });
  if (status !== 0) throw explainFailed(`it ended by ${signal ?? `exit code ${status}`}`, folder);
  const tried = JSON.parse(stdout) as Tried | Failed;
  if ("failure" in tried) throw explainFailed(tried.failure.replaceAll(`${addon}: `, ""), folder);
  const { version, graphVersion, isOnGpu, product } = tried;
  checkHeaders(headers, version, graphVersion);
  if (product.join() !== "7,10,15,22")
    throw explainFailed(`it says that [[1,2],[3,4]] squared is [${product}]`, folder);
  return { version, folder, isOnGpu, reason: isOnGpu ? undefined : readGpuReason(stderr) };
}

function explainFailed(reason: string, folder: string): KitError {
  const isMixed = /undefined symbol|version `/.test(reason);
  const finding = isMixed ? "its libraries are of different versions" : "does not work";
  const advice = isMixed ? "install it anew into an empty folder" : "install it anew, or another";
  return new KitError(
    `The addon was compiled for the TensorFlow in ${folder}, but ${finding} (${shorten(reason)}): ${advice}.`,
  );
}

/** Throws a KitError where the headers are of another version than the library; those of the C library's archives do not tell theirs. */
function checkHeaders(headers: string, version: string, graphVersion: number): void {
  const file = join(headers, "tensorflow", "core", "public", "version.h");
  const [, told] = (existsSync(file) && /^#define TF_GRAPH_DEF_VERSION (\d+)/m.exec(readFileSync(file, "utf8"))) || [];
  if (told !== undefined && Number(told) !== graphVersion)
    throw new KitError(
      `The headers in ${headers} are of another version (graphs of ${told}) than TensorFlow ${version} beside them (graphs of ${graphVersion}): install it anew into an empty folder.`,
    );
}
