import { KitError } from "../../error.ts";
import { meterBytes } from "../storage.ts";
import { submit } from "./dispatch.ts";
import { type Faults, faultsOf } from "./faults.ts";
import { type GpuBackend, type GpuBuffer, type GpuDevice, USAGE } from "./gpu.ts";

/** Bytes of all buffers that this process made on the GPU and has not destroyed, freed ones that wait for their next use included. */
export const gpuMemory: ReturnType<typeof meterBytes> = meterBytes();

/**
 * Makes the device count its buffers, refuse one beyond its limits with a KitError before it is made, and report one for which it has no
 * memory: without that its values are zeros, in silence.
 */
export function watchBuffers(device: GpuDevice): void {
  const faults = faultsOf(device);
  const make = device.createBuffer.bind(device);
  device.createBuffer = (description) => {
    checkLimits(device, description);
    const buffer = makeScoped(device, faults, () => make(description), description.size);
    gpuMemory.count(buffer.size);
    const destroy = buffer.destroy.bind(buffer);
    let isThere = true;
    buffer.destroy = () => {
      destroy();
      if (isThere) gpuMemory.count(-buffer.size);
      isThere = false;
    };
    return buffer;
  };
}

const whole = (bytes: number): string => bytes.toLocaleString("en-US");

const CURE = "take smaller batches, weights in 16 bits, or another backend";

function checkLimits({ limits }: GpuDevice, { size, usage }: { size: number; usage: number }): void {
  const names = usage & USAGE.storage ? ["maxStorageBufferBindingSize", "maxBufferSize"] : ["maxBufferSize"];
  const least = names.reduce((a, b) => (limits[a]! <= limits[b]! ? a : b));
  if (size > limits[least]!)
    throw new KitError(
      `A tensor of ${whole(size)} bytes was asked for on the GPU, which takes at most ${whole(limits[least]!)} in one (${least}): ${CURE}.`,
    );
}

function makeScoped(device: GpuDevice, { report, follow }: Faults, make: () => GpuBuffer, size: number): GpuBuffer {
  const full = `The GPU has no memory for ${whole(size)} bytes more, beside the ${whole(gpuMemory.now())} in use there: ${CURE}.`;
  device.pushErrorScope("out-of-memory");
  try {
    return make();
  } catch (error) {
    if (error instanceof RangeError) throw new KitError(full); // memory that this process should have seen at once
    throw error;
  } finally {
    follow(device.popErrorScope().then((error) => error && report(full)));
  }
}

/** What freed buffers may take: that much, or half of what is in use. */
export const LEAST_POOL: number = 2 ** 28;
/** Reads of a result for which a freed buffer waits for its next use: those of some steps. */
const LONGEST_WAIT = 16;
/** Below that many bytes a new buffer costs less than commands sent early. */
const WORTH_SENDING = 2 ** 20;

/**
 * TensorFlow.js keeps freed buffers, by their exact sizes, for ever. Here one that was not used for some reads is destroyed, and so are
 * the oldest where all take too much; and commands that wait are sent where a buffer of the size asked for is freed with them.
 */
export function boundPool(backend: GpuBackend): { readonly age: () => void } {
  const manager = backend.bufferManager;
  const [acquire, release] = [manager.acquireBuffer.bind(manager), manager.releaseBuffer.bind(manager)];
  const freed = new Map<GpuBuffer, number>(); // the read after which each was freed, oldest first
  let [bytes, reads] = [0, 0];
  const drop = (buffer: GpuBuffer): void => {
    const alike = manager.freeBuffers.get(`${buffer.size}_${buffer.usage}`)!;
    alike.splice(alike.indexOf(buffer), 1);
    manager.numFreeBuffers--;
    manager.numBytesAllocated -= buffer.size;
    freed.delete(buffer);
    bytes -= buffer.size;
    buffer.destroy();
  };
  const trim = (): void => {
    const most = Math.max(LEAST_POOL, manager.numBytesUsed / 2);
    for (const [buffer, read] of freed) {
      if (bytes <= most && reads - read < LONGEST_WAIT) break;
      drop(buffer);
    }
  };
  const isFreedSoon = (size: number): boolean =>
    backend.tensorDataPendingDisposal.some((id) => backend.tensorMap.get(id).resource?.size === size);
  manager.acquireBuffer = (size, usage, isMapped = false, reuse = true) => {
    const isThere = (manager.freeBuffers.get(`${size}_${usage}`)?.length ?? 0) > 0;
    if (size >= WORTH_SENDING && !isThere && isFreedSoon(size)) submit(backend);
    const buffer = acquire(size, usage, isMapped, reuse);
    if (freed.delete(buffer)) bytes -= size;
    return buffer;
  };
  manager.releaseBuffer = (buffer, reuse = true) => {
    release(buffer, reuse);
    if (!reuse) return;
    freed.set(buffer, reads);
    bytes += buffer.size;
    trim();
  };
  return {
    age: () => {
      reads++;
      trim();
    },
  };
}
