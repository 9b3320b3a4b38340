import { type GpuBackend, type GpuBuffer, USAGE } from "./gpu.ts";

/** A parameter of a shader: an unsigned integer, or a float. */
export type Param = { readonly u32: number } | { readonly f32: number };

/** Dispatches that are sent to the GPU together. */
export const BATCH = 64;

/** Bytes between the parameters of two dispatches: WebGPU's alignment of a uniform's offset. */
export const SLOT = 256;
/** More than `BATCH`: those of a dispatch are written over only after it was sent. */
const SLOTS = 4 * BATCH;

/** Parameters of the last dispatches, in one buffer. They are written as late as their commands are sent. */
export interface Uniforms {
  readonly buffer: GpuBuffer;
  /** Gives the offset at which a dispatch finds its parameters. */
  readonly put: (params: readonly Param[]) => number;
}

const rings = new WeakMap<object, Uniforms>();

/** The parameters of a backend's dispatches. */
export function uniformsOf(backend: GpuBackend): Uniforms {
  const found = rings.get(backend) ?? makeUniforms(backend);
  rings.set(backend, found);
  return found;
}

function makeUniforms(backend: GpuBackend): Uniforms {
  const buffer = backend.device.createBuffer({ size: SLOT * SLOTS, usage: USAGE.uniform | USAGE.copyTarget });
  const words = new Uint32Array((SLOT / 4) * SLOTS);
  const floats = new Float32Array(words.buffer);
  let [written, next] = [0, 0];
  const write = (): void => {
    if (next > written)
      backend.queue.writeBuffer(buffer, SLOT * written, words.subarray((SLOT / 4) * written, (SLOT / 4) * next));
    if (next === SLOTS) next = 0;
    written = next;
  };
  const send = backend.submitQueue.bind(backend);
  backend.submitQueue = () => {
    write();
    send();
  };
  const put = (params: readonly Param[]): number => {
    if (next === SLOTS) write();
    const offset = SLOT * next++;
    params.forEach((value, i) => {
      if ("u32" in value) words[offset / 4 + i] = value.u32;
      else floats[offset / 4 + i] = value.f32;
    });
    return offset;
  };
  return { buffer, put };
}
