/**
 * Buffers for results, used again once the tensor that held them is disposed of: a step allocates nothing after the first.
 * Sizes are rounded up to an eighth of their power of two, so that batches of slightly different lengths share buffers.
 */
const free = new Map<number, ArrayBuffer[]>();
const owned = new WeakSet<ArrayBufferLike>();

function capacityFor(bytes: number): number {
  const granule = Math.max(64, 2 ** (Math.floor(Math.log2(Math.max(bytes, 1))) - 3));
  return Math.max(granule, Math.ceil(bytes / granule) * granule);
}

/** A Float32Array of `size` elements with unspecified content. */
export function take(size: number): Float32Array {
  const capacity = capacityFor(size * 4);
  const buffer = free.get(capacity)?.pop() ?? new ArrayBuffer(capacity);
  owned.add(buffer);
  return new Float32Array(buffer, 0, size);
}

/** Whether an array came from `take` and so will be written again after `give`. */
export function isPooled(array: ArrayBufferView): boolean {
  return owned.has(array.buffer);
}

/** Takes back an array that came from `take`; others are left alone. */
export function give(array: ArrayBufferView): void {
  if (!owned.delete(array.buffer)) return;
  const buffer = array.buffer as ArrayBuffer;
  const list = free.get(buffer.byteLength);
  if (list) list.push(buffer);
  else free.set(buffer.byteLength, [buffer]);
}

/** Drops the buffers that wait for use. */
export function emptyPool(): void {
  free.clear();
}
