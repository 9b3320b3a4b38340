import koffi from "koffi";
import { KitError } from "../../error.ts";
import { setEnvironment } from "../clib.ts";
import { libraryPath } from "./library.ts";

/** An address in ONNX Runtime's memory; 0 is none. */
export type Pointer = bigint;

/** What a function of the C API takes: addresses, numbers, and memory of this process, which it sees where it is. */
type Argument = Pointer | number | string | null | ArrayBufferView;
type Call = (...args: readonly Argument[]) => Pointer | null;

/** The functions of ONNX Runtime's C API that the kit uses: their places in the table OrtApi (onnxruntime_c_api.h), which never change. */
const FUNCTIONS = {
  getErrorMessage: [2, "const char *OrtGetErrorMessage(const void *)"],
  createEnv: [3, "void *OrtCreateEnv(int, const char *, void *)"],
  createSessionFromArray: [8, "void *OrtCreateSessionFromArray(void *, const void *, size_t, void *, void *)"],
  run: [9, "void *OrtRun(void *, void *, const void *, const void *, size_t, const void *, size_t, void *)"],
  createSessionOptions: [10, "void *OrtCreateSessionOptions(void *)"],
  setIntraOpNumThreads: [24, "void *OrtSetIntraOpNumThreads(void *, int)"],
  createTensorWithData: [
    49,
    "void *OrtCreateTensorWithData(void *, void *, size_t, const void *, size_t, int, void *)",
  ],
  createCpuMemoryInfo: [69, "void *OrtCreateCpuMemoryInfo(int, int, void *)"],
  releaseStatus: [93, "void OrtReleaseStatus(void *)"],
  releaseSession: [95, "void OrtReleaseSession(void *)"],
  releaseValue: [96, "void OrtReleaseValue(void *)"],
  releaseSessionOptions: [100, "void OrtReleaseSessionOptions(void *)"],
  addSessionConfigEntry: [130, "void *OrtAddSessionConfigEntry(void *, const char *, const char *)"],
} as const;

type Api = Readonly<Record<keyof typeof FUNCTIONS, Call>>;

/** The version of the API's table; later libraries still give it. */
const API_VERSION = 17;

let known: Api | undefined;
let library: ReturnType<typeof koffi.load>; // kept: a library that JavaScript forgets is unloaded

/**
 * The C API, called without a binding in between: the JavaScript binding of onnxruntime-node copies every output into a new buffer,
 * preallocated ones too. Throws a KitError where the library cannot be loaded.
 */
export function ort(): Api {
  known ??= load();
  return known;
}

function load(): Api {
  try {
    disableTelemetry();
    library = koffi.load(libraryPath());
    const [getApi] = koffi.decode(library.func("void *OrtGetApiBase()")(), koffi.array("void *", 1)) as [Pointer];
    const api = koffi.call(getApi, koffi.proto("void *OrtGetApi(uint32_t)"), API_VERSION);
    const last = Math.max(...Object.values(FUNCTIONS).map(([place]) => place));
    const table = koffi.decode(api, koffi.array("void *", last + 1)) as Pointer[];
    const entries = Object.entries(FUNCTIONS).map(([name, [place, signature]]) => {
      const type = koffi.proto(signature);
      return [name, (...args: readonly Argument[]) => koffi.call(table[place], type, ...args)];
    });
    return Object.fromEntries(entries) as Api;
  } catch (error) {
    if (error instanceof KitError) throw error;
    throw new KitError(
      `ONNX Runtime from the package onnxruntime-node does not load on ${process.platform} ${process.arch} (${(error as Error).message}); run npm ci again, or choose another backend with useBackend.`,
    );
  }
}

/** Without this, ONNX Runtime writes an id of the machine and a database of events to the home folder when loaded, and sends them to its makers. */
const disableTelemetry = (): void => setEnvironment("ORT_DISABLE_TELEMETRY", "1");

/** Throws the error of a status, and frees it; no status is success. */
export function check(status: Pointer | null): void {
  if (!status) return;
  const message = String(ort().getErrorMessage(status));
  ort().releaseStatus(status);
  throw new Error(message);
}

/** The address that a function writes to the place it is given. */
export function receiveAddress(make: (place: BigUint64Array) => Pointer | null): Pointer {
  const place = new BigUint64Array(1);
  check(make(place));
  return place[0]!;
}

/** C strings, and an array of their addresses, both valid while this value lives. */
export interface Names {
  readonly addresses: BigUint64Array;
  readonly texts: readonly Buffer[];
}

/** The names as the C API wants them. */
export function makeNames(names: readonly string[]): Names {
  const texts = names.map((name) => Buffer.from(`${name}\0`));
  return { addresses: BigUint64Array.from(texts, (text) => koffi.address(text)), texts };
}
