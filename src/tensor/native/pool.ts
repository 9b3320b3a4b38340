/**
 * Memory for results: a few large buffers that are divided among the results in use, so that after its first steps a run allocates
 * nothing, and touches no more memory than the most that was in use at once (but for gaps between results).
 */
interface Slab {
  readonly buffer: ArrayBuffer;
  /** The free stretches in bytes, ascending, no two adjacent. */
  readonly free: { start: number; end: number }[];
}

/** Slabs may be large: the system gives memory only to pages that were written to. */
const SLAB_BYTES = 2 ** 28;
const GRANULE_BYTES = 64;

/** Smaller results come from JavaScript's heap, which is faster for many of them. */
const LEAST_BYTES = 4096;

const slabs: Slab[] = [];
const slabBuffers = new WeakSet<ArrayBufferLike>();
const slabByArray = new Map<ArrayBufferView, Slab>();
let bytesInUse = 0;
let mostInUse = 0;

const granules = (bytes: number): number => Math.ceil(bytes / GRANULE_BYTES) * GRANULE_BYTES;

/** A Float32Array of `size` elements with unspecified content. */
export function take(size: number): Float32Array {
  if (4 * size < LEAST_BYTES) return new Float32Array(size);
  const bytes = granules(4 * size);
  const slab = slabs.find(({ free }) => free.some(({ start, end }) => end - start >= bytes)) ?? newSlab(bytes);
  const stretch = slab.free.find(({ start, end }) => end - start >= bytes)!;
  const array = new Float32Array(slab.buffer, stretch.start, size);
  stretch.start += bytes;
  if (stretch.start === stretch.end) slab.free.splice(slab.free.indexOf(stretch), 1);
  slabByArray.set(array, slab);
  bytesInUse += bytes;
  mostInUse = Math.max(mostInUse, bytesInUse);
  return array;
}

function newSlab(bytes: number): Slab {
  const length = Math.max(bytes, SLAB_BYTES);
  const slab = { buffer: new ArrayBuffer(length), free: [{ start: 0, end: length }] };
  slabBuffers.add(slab.buffer);
  slabs.push(slab);
  return slab;
}

/** Whether an array is a view into what `take` returned, and so valid only until that is given back. */
export function isBorrowed(array: ArrayBufferView): boolean {
  return slabBuffers.has(array.buffer) && !slabByArray.has(array);
}

/** Takes back an array that came from `take`; others are left alone. */
export function give(array: ArrayBufferView): void {
  const slab = slabByArray.get(array);
  if (!slab) return;
  slabByArray.delete(array);
  const bytes = granules(array.byteLength);
  release(slab, array.byteOffset, array.byteOffset + bytes);
  bytesInUse -= bytes;
  if (slab !== slabs[0] && isWholeFree(slab)) slabs.splice(slabs.indexOf(slab), 1);
}

const isWholeFree = ({ buffer, free }: Slab): boolean =>
  free.length === 1 && free[0]!.end - free[0]!.start === buffer.byteLength;

/** Adds a stretch to the free ones, joined with its neighbours. */
function release({ free }: Slab, start: number, end: number): void {
  let at = free.findIndex((stretch) => stretch.start > start);
  if (at < 0) at = free.length;
  const [before, after] = [free[at - 1], free[at]];
  const joins = [before?.end === start, after?.start === end] as const;
  if (joins[0] && joins[1]) {
    before!.end = after!.end;
    free.splice(at, 1);
  } else if (joins[0]) before!.end = end;
  else if (joins[1]) after!.start = start;
  else free.splice(at, 0, { start, end });
}

/** Bytes of results in use, now and at most since `forgetMost`. */
export function poolBytes(): { readonly inUse: number; readonly most: number } {
  return { inUse: bytesInUse, most: mostInUse };
}

/** Forgets the most that was in use before. */
export function forgetMost(): void {
  mostInUse = bytesInUse;
}

/** Gives an array of so many elements. */
export type Scratch = (size: number) => Float32Array;

/** Calls `use` with what takes arrays from the pool, and gives them back at its end. */
export function withScratch<Result>(use: (scratch: Scratch) => Result): Result {
  const taken: Float32Array[] = [];
  try {
    return use((size) => {
      const array = take(size);
      taken.push(array);
      return array;
    });
  } finally {
    for (const array of taken) give(array);
  }
}
