import { existsSync, readdirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { KitError } from "../../error.ts";

/** A TensorFlow to link to. */
export interface Library {
  /** The real folder of its libraries: through a symbolic link they would not find CUDA's, which lie beside it. */
  readonly folder: string;
  /** Real paths. */
  readonly files: readonly string[];
  readonly headers: string;
}

const FRAMEWORK = "libtensorflow_framework.so.2";
/** Of Python's wheels, and of the archives of the C library. */
const CORES = ["libtensorflow_cc.so.2", "libtensorflow.so.2"];
const HEADER = join("tensorflow", "c", "eager", "c_api.h");

/**
 * The TensorFlow in a folder: a wheel's tensorflow/, the folder around it, a Python environment, or an unpacked C library. Throws a KitError
 * that names what is missing.
 */
export function findTensorFlow(given: string): Library {
  const wanted = `TensorFlow was to be linked from ${given}`;
  if (process.platform !== "linux")
    throw new KitError(`${wanted}, but on ${process.platform} only npm run gpu:install gets one.`);
  if (!existsSync(given)) throw new KitError(`${wanted}, which is not there: name a folder that holds ${FRAMEWORK}.`);
  const folder = places(given).find((place) => existsSync(join(place, FRAMEWORK)));
  if (!folder)
    throw new KitError(
      `${wanted}, but no ${FRAMEWORK} lies there, in tensorflow/, in lib/ or in lib/python3*/site-packages/tensorflow/: name a Python environment with tensorflow in it, or the folder of the library.`,
    );
  const core = CORES.find((name) => existsSync(join(folder, name)));
  if (!core) throw new KitError(`${wanted}, but ${folder} holds neither ${CORES.join(" nor ")}: install it anew.`);
  const headers = [join(folder, "include"), join(folder, "..", "include")].find((at) => existsSync(join(at, HEADER)));
  if (!headers) throw new KitError(`${wanted}, but ${folder} has no include/${HEADER} beside it: install it anew.`);
  const files = [core, FRAMEWORK].map((name) => realpathSync(join(folder, name)));
  return { folder: dirname(files[1]!), files, headers };
}

/** Where a library may lie in a folder. */
function places(given: string): string[] {
  const lib = join(given, "lib");
  const pythons = existsSync(lib) ? readdirSync(lib).filter((name) => name.startsWith("python3")) : [];
  const packages = pythons.flatMap((name) => ["site-packages", "dist-packages"].map((at) => join(lib, name, at)));
  return [given, join(given, "tensorflow"), lib, ...packages.map((at) => join(at, "tensorflow"))];
}
