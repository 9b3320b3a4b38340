import { submit } from "./dispatch.ts";
import { type GpuBuffer, type GpuDevice, gpu, USAGE } from "./gpu.ts";

/** Constants that are kept on the GPU: those of a few batches. */
const MOST_KEPT = 64;

const kept = new WeakMap<GpuDevice, Map<object, GpuBuffer>>();

/** A buffer that holds these numbers, which must not change: they are uploaded when they are first asked for, and kept for the next times. */
export function constantBuffer(values: Uint32Array | Float32Array): GpuBuffer {
  const { device } = gpu();
  const buffers = kept.get(device) ?? new Map<object, GpuBuffer>();
  kept.set(device, buffers);
  const buffer = buffers.get(values) ?? upload(device, values);
  buffers.delete(values);
  buffers.set(values, buffer); // the last to go
  if (buffers.size > MOST_KEPT) forgetOldest(buffers);
  return buffer;
}

function upload(device: GpuDevice, values: Uint32Array | Float32Array): GpuBuffer {
  const buffer = device.createBuffer({ size: values.byteLength, usage: USAGE.storage, mappedAtCreation: true });
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  new Uint8Array(buffer.getMappedRange()).set(bytes);
  buffer.unmap();
  return buffer;
}

/** Commands that were recorded are sent first: they may read it. */
function forgetOldest(buffers: Map<object, GpuBuffer>): void {
  submit(gpu());
  const [values, buffer] = buffers.entries().next().value!;
  buffers.delete(values);
  buffer.destroy();
}
