import type { Angles } from "../kernels/rotary.ts";
import { listPositions, type TokenBatch } from "./batch.ts";

/** How Llama 3.1 and later stretch rotary positions to longer texts: `rope_scaling` of type "llama3", under its own names. */
export interface RopeScaling {
  readonly factor: number;
  readonly low_freq_factor: number;
  readonly high_freq_factor: number;
  readonly original_max_position_embeddings: number;
}

/** Radians per position of each pair of a head `width` wide: theta^(−2i / width). */
export function ropeFrequencies(width: number, theta: number, scaling?: RopeScaling): number[] {
  const plain = Array.from({ length: width / 2 }, (_, i) => theta ** ((-2 * i) / width));
  return scaling ? plain.map((frequency) => stretchFrequency(frequency, scaling)) : plain;
}

/** Slow turns become slower by the factor, fast ones stay, and between the two the share changes linearly. */
function stretchFrequency(frequency: number, scaling: RopeScaling): number {
  const { factor, low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: length } = scaling;
  const turns = (length * frequency) / (2 * Math.PI);
  const kept = Math.min(1, Math.max(0, (turns - low) / (high - low)));
  return kept * frequency + ((1 - kept) * frequency) / factor;
}

/** The angles of a batch's tokens, computed once a batch for all its layers. */
export function ropeAngles(frequencies: readonly number[]): (batch: TokenBatch) => Angles {
  const known = new WeakMap<TokenBatch, Angles>();
  return (batch) => {
    const found = known.get(batch);
    if (found) return found;
    const angles = computeAngles(listPositions(batch), frequencies);
    known.set(batch, angles);
    return angles;
  };
}

function computeAngles(positions: Int32Array, frequencies: readonly number[]): Angles {
  const pairs = frequencies.length;
  const [cos, sin] = [new Float32Array(positions.length * pairs), new Float32Array(positions.length * pairs)];
  positions.forEach((position, row) => {
    for (let i = 0; i < pairs; i++) {
      cos[row * pairs + i] = Math.cos(position * frequencies[i]!);
      sin[row * pairs + i] = Math.sin(position * frequencies[i]!);
    }
  });
  return { cos, sin, pairs };
}
