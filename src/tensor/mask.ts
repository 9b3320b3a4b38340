import { storage } from "./backend.ts";
import type { Mask } from "./noise/key.ts";
import type { Parameter } from "./parameter.ts";

/** Elements up to a multiple of which a mask has bits: a group of signs. */
const GROUP = 2048;

/**
 * Of each weight the elements of least magnitude, a share of them, and all that are as large as the largest of these. Found exactly, by
 * counting the bits of magnitudes: a weight is read three times, and neither sorted nor copied.
 */
export async function smallest(theta: readonly Parameter[], share: number): Promise<ReadonlyMap<string, Mask>> {
  const masks = new Map<string, Mask>();
  for (const { name, value } of theta) {
    const most = await magnitudeAt(value, Math.ceil(share * value.size));
    masks.set(name, await maskUpTo(value, most));
  }
  return masks;
}

type Tensor = Parameter["value"];

/** The bits of a magnitude are in the order of magnitudes. */
const MAGNITUDE = 0x7fffffff;

/** Calls `see` for every element with the bits of its magnitude. */
async function eachMagnitude(tensor: Tensor, see: (bits: number, element: number) => void): Promise<void> {
  let from = 0;
  for await (const values of storage().read(tensor)) {
    const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
    for (let i = 0; i < bits.length; i++) see(bits[i]! & MAGNITUDE, from + i);
    from += bits.length;
  }
}

/** The bits of the magnitude that so many elements do not exceed: first their upper half, then among those that share it the lower one. */
async function magnitudeAt(tensor: Tensor, count: number): Promise<number> {
  const counts = new Uint32Array(1 << 16);
  await eachMagnitude(tensor, (bits) => counts[bits >>> 16]!++);
  const upper = placeOf(counts, count);
  counts.fill(0);
  await eachMagnitude(tensor, (bits) => {
    if (bits >>> 16 === upper.place) counts[bits & 0xffff]!++;
  });
  return upper.place * 65536 + placeOf(counts, count - upper.before).place;
}

/** At which place the counts come to a sum, and how many are counted before it. */
function placeOf(counts: Uint32Array, sum: number): { readonly place: number; readonly before: number } {
  let [place, before] = [0, 0];
  while (before + counts[place]! < sum) before += counts[place++]!;
  return { place, before };
}

async function maskUpTo(tensor: Tensor, most: number): Promise<Mask> {
  const mask = new Uint32Array((Math.ceil(tensor.size / GROUP) * GROUP) / 32);
  await eachMagnitude(tensor, (bits, element) => {
    if (bits <= most) mask[element >>> 5]! |= 1 << (element & 31);
  });
  return mask;
}

/** The elements of a mask. */
export function countIn(mask: Mask): number {
  let count = 0;
  for (let word of mask) for (; word !== 0; word &= word - 1) count++;
  return count;
}
