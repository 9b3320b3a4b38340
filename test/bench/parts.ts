import { type GraphRun, profileGraphs } from "../../src/tensor/native/session.ts";
import { type LibraryCall, profileCalls } from "../../src/tensor/x86/library.ts";

/** Seconds of operations, whether ONNX Runtime or the kit's library computes them. */
export interface PartSeconds {
  /** A product of the kit's own makes the noise of its weight too. */
  readonly products: number;
  readonly attention: number;
  /** All operations but noise. */
  readonly operations: number;
}

/** What belongs to a part, by how the names of graphs and of the library's functions begin. */
const PARTS = { products: /^(linear|feedForward|vocabularyTile|matMul|product)/, attention: /^attention/ };

/** Functions of the library whose time is counted as noise. */
export const NOISE_CALLS: ReadonlySet<string> = new Set(["move"]);

/** Does some work, and says how long its parts took. */
export async function timeParts(work: () => Promise<void>): Promise<PartSeconds> {
  const seconds = { products: 0, attention: 0, operations: 0 };
  const add = ({ name, seconds: taken }: GraphRun | LibraryCall): void => {
    if (NOISE_CALLS.has(name)) return;
    seconds.operations += taken;
    for (const part of ["products", "attention"] as const) if (PARTS[part].test(name)) seconds[part] += taken;
  };
  await profileGraphs(add, () => profileCalls(add, work));
  return seconds;
}
