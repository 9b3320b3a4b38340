import { isHalves, type Source } from "../halves/format.ts";
import { narrow, widen } from "../halves/halves.ts";
import type { Distribution, NoiseKey } from "./key.ts";
import { ownMemoryModule } from "./wasm.generated.ts";
import { type KernelName, PAGE, PIECE, wasm } from "./webassembly.ts";

/** A part of a tensor to add noise to: elements `from` up to `to`; `from` is a multiple of 2048, so that whole groups of z fit. */
export interface Piece {
  readonly theta: Source;
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

/** Elements between the places of two pieces in one memory, or of a piece's two sides: a cache line more than a piece. */
export const PLACE: number = PIECE + 16;

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

const kernelName = ({ distribution, sides }: Piece): KernelName => (sides ? `${distribution}Sides` : distribution);

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
  if (isHalves(theta)) {
    widen(theta, from, memory.subarray(place, place + to - from));
    return place;
  }
  const at = place + ((theta.byteOffset >> 2) & 1);
  memory.set(theta.subarray(from, to), at);
  return at;
}

/** Copies a piece back from element `at` of `memory`, or its two sides to where they go. */
export function copyOut({ theta, from, to, key, sides }: Piece, memory: Float32Array, at: number): void {
  if (!sides) {
    const changed = memory.subarray(at, at + to - from);
    if (isHalves(theta)) narrow(changed, theta, from, key);
    else theta.set(changed, from);
    return;
  }
  const { first, plus, minus } = sides;
  const start = Math.max(first, from);
  plus.set(memory.subarray(at + start - from, at + to - from), start - first);
  minus.set(memory.subarray(at + PLACE + start - from, at + PLACE + to - from), start - first);
}
