/**
 * Buffers for results, used again once the tensor that held them is disposed of: after its first steps a run allocates nothing.
 * Together, buffers in use and waiting never hold more than the most that was in use at once.
 */
const waiting: ArrayBuffer[] = []; // the one that waits longest first
const owned = new WeakSet<ArrayBufferLike>();
const whole = new WeakSet<ArrayBufferView>();
let bytesInUse = 0;
let bytesWaiting = 0;
let mostInUse = 0;

/** A waiting buffer serves a result that fills at least two thirds of it. */
const LARGEST_FIT = 1.5;
const GRANULE_BYTES = 64;

function takeWaiting(bytes: number): ArrayBuffer | undefined {
  let best = -1;
  waiting.forEach(({ byteLength }, i) => {
    const fits = byteLength >= bytes && byteLength <= LARGEST_FIT * bytes;
    if (fits && (best < 0 || byteLength < waiting[best]!.byteLength)) best = i;
  });
  if (best < 0) return undefined;
  const [buffer] = waiting.splice(best, 1);
  bytesWaiting -= buffer!.byteLength;
  return buffer;
}

function dropWhatIsTooMuch(): void {
  while (waiting.length > 0 && bytesInUse + bytesWaiting > mostInUse) bytesWaiting -= waiting.shift()!.byteLength;
}

/** A Float32Array of `size` elements with unspecified content. */
export function take(size: number): Float32Array {
  const bytes = Math.max(1, Math.ceil((size * 4) / GRANULE_BYTES)) * GRANULE_BYTES;
  const buffer = takeWaiting(bytes) ?? new ArrayBuffer(bytes);
  const array = new Float32Array(buffer, 0, size);
  owned.add(buffer);
  whole.add(array);
  bytesInUse += buffer.byteLength;
  mostInUse = Math.max(mostInUse, bytesInUse);
  dropWhatIsTooMuch();
  return array;
}

/** Whether an array looks into a buffer of `take` without being what `take` gave: its content lasts only as long as that. */
export function isBorrowed(array: ArrayBufferView): boolean {
  return owned.has(array.buffer) && !whole.has(array);
}

/** Takes back an array that came from `take`; others are left alone. */
export function give(array: ArrayBufferView): void {
  if (!whole.delete(array)) return;
  const buffer = array.buffer as ArrayBuffer;
  owned.delete(buffer);
  bytesInUse -= buffer.byteLength;
  bytesWaiting += buffer.byteLength;
  waiting.push(buffer);
  dropWhatIsTooMuch();
}

/** Bytes held: by results in use, and by buffers that wait for the next. */
export function poolBytes(): { readonly inUse: number; readonly waiting: number } {
  return { inUse: bytesInUse, waiting: bytesWaiting };
}
