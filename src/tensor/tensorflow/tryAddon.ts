import { createRequire } from "node:module";
import koffi from "koffi";
import type { Binding } from "./operations.ts";

// A program for a process of its own: loads the addon that its first argument names, beside the library that its second names, multiplies two
// matrices, and writes what it finds to stdout.

/** What the program writes, as JSON. */
export interface Tried {
  readonly version: string;
  /** The library's version of graphs, which changes every day that TensorFlow is worked on. */
  readonly graphVersion: number;
  readonly isOnGpu: boolean;
  /** [[1,2],[3,4]] squared. */
  readonly product: readonly number[];
}

/** What it writes where that cannot be done. */
export interface Failed {
  /** "/path/addon.node: undefined symbol: x" */
  readonly failure: string;
}

/** TensorFlow's number for it. */
const FLOAT32 = 1;

/** The version of graphs, out of a message of protobuf's whose first field it is. */
function readGraphVersion(path: string): number {
  const library = koffi.load(path);
  const buffer = koffi.struct({ data: "void *", length: "size_t", free: "void *" });
  const message: { data?: unknown; length?: number } = {};
  const status = library.func("void *TF_NewStatus()")();
  const graph = library.func("void *TF_NewGraph()")();
  library.func("TF_GraphVersions", "void", ["void *", koffi.out(koffi.pointer(buffer)), "void *"])(
    graph,
    message,
    status,
  );
  const [, ...bytes] = koffi.decode(message.data, koffi.array("uint8_t", Number(message.length))) as number[];
  const end = bytes.findIndex((byte) => byte < 0x80);
  return bytes.slice(0, end + 1).reduceRight((value, byte) => value * 0x80 + (byte & 0x7f), 0);
}

function tryOut(addon: string, library: string): Tried {
  const binding = createRequire(import.meta.url)(addon) as Binding & { isUsingGpuDevice(): boolean };
  const matrix = binding.createTensor([2, 2], FLOAT32, Float32Array.of(1, 2, 3, 4));
  const attributes = [
    { name: "T", type: binding.TF_ATTR_TYPE!, value: FLOAT32 },
    ...["transpose_a", "transpose_b"].map((name) => ({ name, type: binding.TF_ATTR_BOOL!, value: false })),
  ];
  const [square] = binding.executeOp("MatMul", attributes, [matrix, matrix], 1);
  return {
    version: binding.TF_Version,
    graphVersion: readGraphVersion(library),
    isOnGpu: binding.isUsingGpuDevice(),
    product: [...(binding.tensorDataSync(square!.id) as Float32Array)],
  };
}

function answer(): Tried | Failed {
  const [addon, library] = process.argv.slice(2);
  try {
    return tryOut(addon!, library!);
  } catch (error) {
    return { failure: (error as Error).message };
  }
}

process.stdout.write(JSON.stringify(answer()));
