import { isHalves, narrow, type Source, widen } from "../halves.ts";
import type { Distribution, NoiseKey } from "./key.ts";
import { ownMemoryModule } from "./wasm.generated.ts";
import { type KernelName, PAGE, PIECE, wasm } from "./webassembly.ts";

/** What becomes of a weight: theta · keep + scale · z, with the z of the key. */
export interface Move {
  readonly key: NoiseKey;
  readonly scale: number;
  readonly keep: number;
}

/** A part of a tensor to add noise to: elements `from` up to `to`; `from` is a multiple of 2048, so that whole groups of z fit. */
export interface Piece {
  readonly theta: Source;
  readonly from: number;
  readonly to: number;
  /** Which element of its tensor theta's first is, a multiple of 2048. */
  readonly offset: number;
  /** One after the other; one alone where the tensor is kept in 16 bits, whose rounding is a move's own, and where there are sides. */
  readonly moves: readonly Move[];
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
      const kernel = kernels[kernelName(piece)];
      const [n, block] = [piece.to - piece.from, blockOf(piece)];
      for (const { key, scale, keep } of piece.moves)
        kernel(4 * at, n, key.k0, key.k1, key.stream, block, scale, piece.sides ? PLACE : keep);
      copyOut(piece, floats, at);
    };
  } catch {
    return undefined;
  }
}

/** The function of noise.c that a piece needs. */
export function kernelName({ distribution, sides }: Piece): KernelName {
  return sides ? `${distribution}Sides` : distribution;
}

/** The first block of z that a piece uses. */
export function blockOf({ offset, from, distribution }: Piece): number {
  return (offset + from) / (distribution === "gaussian" ? 4 : 128);
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
export function copyOut({ theta, from, to, moves, sides }: Piece, memory: Float32Array, at: number): void {
  if (!sides) {
    const changed = memory.subarray(at, at + to - from);
    if (isHalves(theta)) narrow(changed, theta, from, moves[0]!.key);
    else theta.set(changed, from);
    return;
  }
  const { first, plus, minus } = sides;
  const start = Math.max(first, from);
  plus.set(memory.subarray(at + start - from, at + to - from), start - first);
  minus.set(memory.subarray(at + PLACE + start - from, at + PLACE + to - from), start - first);
}
