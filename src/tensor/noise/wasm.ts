import { narrow, widen } from "../halves.ts";
import { isHalves } from "../source.ts";
import { GROUP, groupStart, type Mask, type Stretch } from "./key.ts";
import { ownMemoryModule } from "./wasm.generated.ts";
import { type KernelName, PAGE, PIECE, wasm } from "./webassembly.ts";

/** Elements between the places of two pieces in one memory, or of a piece's two sides: a cache line more than a piece. */
export const PLACE: number = PIECE + 16;

/** The function that adds a piece's noise on the calling thread in WebAssembly; undefined where SIMD or WebAssembly is missing. */
export function wasmSweep(): ((piece: Stretch) => void) | undefined {
  try {
    const { Module, Instance, Memory } = wasm()!;
    const memory = new Memory({ initial: Math.ceil((4 * 2 * PLACE + PIECE / 8) / PAGE) });
    const kernels = new Instance(new Module(Buffer.from(ownMemoryModule, "base64")), { env: { memory } }).exports;
    const floats = new Float32Array(memory.buffer);
    const masked = new Uint32Array(memory.buffer, 4 * 2 * PLACE, PIECE / 32);
    return (piece) => {
      const at = copyIn(piece, floats, 0);
      const kernel = kernels[kernelName(piece)];
      const [n, block] = [piece.to - groupStart(piece), firstBlock(piece)];
      for (const { key, scale, keep } of piece.moves) {
        const where = [4 * at, n, key.k0, key.k1, key.stream, block, scale] as const;
        if (key.mask) {
          masked.set(maskOf(piece, key.mask));
          kernels[`${piece.law}Masked`](...where, keep, piece.sides ? PLACE : 0, masked.byteOffset);
        } else kernel(...where, piece.sides ? PLACE : keep);
      }
      copyOut(piece, floats, at);
    };
  } catch {
    return undefined;
  }
}

/** The words of a mask for a piece, from the group of z on that it begins in. */
function maskOf(piece: Stretch, mask: Mask): Mask {
  const first = (piece.offset + groupStart(piece)) / 32;
  return mask.subarray(first, first + PIECE / 32);
}

/** The function of noise.c that a piece needs. */
export function kernelName({ law, sides }: Stretch): KernelName {
  return sides ? `${law}Sides` : law;
}

/** The first block of z that a piece uses. */
export function firstBlock(piece: Stretch): number {
  return (piece.offset + groupStart(piece)) / (piece.law === "gaussian" ? 4 : 128);
}

/**
 * Copies a piece, from the group of z on that it begins in, into `memory` near element `place` and returns at which element. That one has
 * the address of the original modulo 8 bytes: where the two differ there, V8 copies to and from shared memory byte by byte, four times
 * as slow.
 */
export function copyIn(piece: Stretch, memory: Float32Array, place: number): number {
  const [{ theta, to }, start] = [piece, groupStart(piece)];
  if (isHalves(theta)) {
    widen(theta, start, memory.subarray(place, place + to - start));
    return place;
  }
  const at = place + ((theta.byteOffset >> 2) & 1);
  memory.set(theta.subarray(start, to), at);
  return at;
}

/** Copies a piece back from element `at` of `memory`, or its two sides to where they go. */
export function copyOut({ theta, from, to, moves, sides }: Stretch, memory: Float32Array, at: number): void {
  if (sides) {
    const first = at + (from % GROUP);
    sides.plus.set(memory.subarray(first, first + to - from));
    sides.minus.set(memory.subarray(first + PLACE, first + PLACE + to - from));
    return;
  }
  const changed = memory.subarray(at, at + to - from);
  if (isHalves(theta)) narrow(changed, theta, from, moves[0]!.key);
  else theta.set(changed, from);
}
