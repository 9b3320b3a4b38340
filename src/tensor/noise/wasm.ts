import type { Distribution, NoiseKey } from "./key.ts";
import { ownMemoryModule } from "./wasm.generated.ts";

/** A part of a tensor to add noise to: elements `from` up to `to`; `from` is a multiple of 2048, so that whole groups of z fit. */
export interface Piece {
  readonly theta: Float32Array;
  readonly from: number;
  readonly to: number;
  readonly key: NoiseKey;
  readonly scale: number;
  readonly keep: number;
  readonly distribution: Distribution;
  /** Where theta + scale · z and theta - scale · z go, theta staying as it is; without it the piece is changed in place. */
  readonly sides?: Sides;
}

/** Both sides of a tensor's elements from `first` on. */
export interface Sides {
  readonly first: number;
  readonly plus: Float32Array;
  readonly minus: Float32Array;
}

/** The most elements of a piece. Its 64 KiB stay in the second-level cache between copy in, sweep and copy out. */
export const PIECE = 16384;

/** Elements between the places of two pieces in one memory, or of a piece's two sides: a cache line more than a piece. */
export const PLACE: number = PIECE + 16;

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
export type Kernels = Readonly<Record<Distribution | `${Distribution}Sides`, Kernel>>;

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

/** The function that adds a piece's noise on the calling thread in WebAssembly; undefined where SIMD or WebAssembly is missing. */
export function wasmSweep(): ((piece: Piece) => void) | undefined {
  try {
    const { Module, Instance, Memory } = wasm()!;
    const memory = new Memory({ initial: Math.ceil((4 * 2 * PLACE) / PAGE) });
    const kernels = new Instance(new Module(Buffer.from(ownMemoryModule, "base64")), { env: { memory } }).exports;
    const floats = new Float32Array(memory.buffer);
    return (piece) => {
      const at = copyIn(piece, floats, 0);
      kernels[kernelName(piece)](4 * at, ...parameters(piece));
      copyOut(piece, floats, at);
    };
  } catch {
    return undefined;
  }
}

const kernelName = ({ distribution, sides }: Piece): keyof Kernels => (sides ? `${distribution}Sides` : distribution);

/** What a kernel wants to know of a piece besides its address. */
export function parameters(piece: Piece): [number, number, number, number, number, number, number] {
  const { from, to, key, scale, keep, distribution, sides } = piece;
  const block = from / (distribution === "gaussian" ? 4 : 128);
  return [to - from, key.k0, key.k1, key.stream, block, scale, sides ? PLACE : keep];
}

/**
 * Copies a piece into `memory` near element `place` and returns at which element. That one has the address of the original modulo
 * 8 bytes: where the two differ there, V8 copies to and from shared memory byte by byte, four times as slow.
 */
export function copyIn({ theta, from, to }: Piece, memory: Float32Array, place: number): number {
  const at = place + ((theta.byteOffset >> 2) & 1);
  memory.set(theta.subarray(from, to), at);
  return at;
}

/** Copies a piece back from element `at` of `memory`, or its two sides to where they go. */
export function copyOut({ theta, from, to, sides }: Piece, memory: Float32Array, at: number): void {
  if (!sides) {
    theta.set(memory.subarray(at, at + to - from), from);
    return;
  }
  const { first, plus, minus } = sides;
  const start = Math.max(first, from);
  plus.set(memory.subarray(at + start - from, at + to - from), start - first);
  minus.set(memory.subarray(at + PLACE + start - from, at + PLACE + to - from), start - first);
}
