import type { Distribution } from "./key.ts";

/** The most elements of a piece. Its 64 KiB stay in the second-level cache between copy in, sweep and copy out. */
export const PIECE = 16384;

/** Bytes of a page of WebAssembly memory. */
export const PAGE = 65536;

/**
 * noise.c: adds z in place from a byte address on, to n elements rounded up to whole groups; `block` is the first one's. The last is
 * the factor `keep`, or for both sides the elements from one to the other.
 */
export type Kernel = (
  ...of: [at: number, n: number, k0: number, k1: number, stream: number, block: number, scale: number, last: number]
) => void;

/** The functions of noise.c. */
export type Kernels = Readonly<
  Record<KernelName, Kernel> &
    Record<`${Distribution}Masked`, (...of: number[]) => void> &
    Record<"widen" | "narrow" | "narrowStochastic", (...of: number[]) => void>
>;

/** Those that add noise. */
export type KernelName = Distribution | `${Distribution}Sides`;

/** What is used of WebAssembly; its types come only with those of the browser. */
export interface Wasm {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: { env: { memory: object } }) => { exports: Kernels };
  readonly Memory: new (size: { initial: number; maximum?: number; shared?: boolean }) => { buffer: ArrayBuffer };
}

/** WebAssembly where the process has it. */
export function wasm(): Wasm | undefined {
  return (globalThis as unknown as { WebAssembly?: Wasm }).WebAssembly;
}
