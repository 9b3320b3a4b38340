import { fileURLToPath } from "node:url";
import { runProcess } from "../../src/measure/process.ts";
import type { BackendName } from "../../src/tensor/backend.ts";
import { gibibytes } from "../../src/tensor/tensorflow/messages.ts";
import type { DeviceResult, GpuPart } from "./gpuPart.ts";
import { PEER_SECONDS, peerStep } from "./gpuPeer.ts";
import { type GpuSizes, type PlannedPart, planParts, productCeiling, weightBytes } from "./gpuPlan.ts";

const WORKER = fileURLToPath(new URL("gpuWorker.js", import.meta.url));

/** A part with what it found, or the reason why it found nothing. */
export interface PartResult {
  readonly part: object;
  readonly result?: object;
  readonly reason?: string;
}

/** What was found on a card. */
export interface GpuResults {
  readonly device: DeviceResult;
  readonly measured: readonly PartResult[];
  /** Parts for which no time was left. */
  readonly missed: readonly object[];
}

/** What is asked for. */
export interface GpuRequest {
  readonly sizes: GpuSizes;
  readonly backends: readonly BackendName[];
  readonly seconds: number;
  readonly python: string;
}

/** Measures all parts until the time is over, each in a process of its own, and tells of each that is done. */
export async function checkGpu(request: GpuRequest, onDone: (result: PartResult) => void): Promise<GpuResults> {
  const end = performance.now() + 1e3 * request.seconds;
  const left = (): number => (end - performance.now()) / 1e3;
  const device = await measured<DeviceResult>({ kind: "device" }, Math.min(60, left()));
  onDone({ part: { kind: "device" }, result: device });
  const there = request.backends.filter((name) => device.backends.some((one) => one.name === name && one.available));
  const found: PartResult[] = [];
  const missed: object[] = [];
  for (const planned of [...planParts(there, request.sizes), ...peerParts(request)]) {
    if (left() < LEAST_SECONDS) missed.push(planned.part);
    else found.push(await attempt(planned, left(), device, request.python));
    if (found.at(-1)?.part === planned.part) onDone(found.at(-1)!);
  }
  return { device, measured: found, missed };
}

/** No part is begun with less. */
const LEAST_SECONDS = 5;

/** PyTorch's steps of the same shapes and batches. */
interface PeerPart {
  readonly kind: "peer";
  readonly model: string;
  readonly rows: number;
  readonly tokens: number;
  readonly steps: number;
}

function peerParts({ sizes: { models, batches, steps } }: GpuRequest): { part: PeerPart; seconds: number }[] {
  return models.flatMap((model) =>
    batches.map(([rows, tokens]) => ({ part: { kind: "peer", model, rows, tokens, steps }, seconds: PEER_SECONDS })),
  );
}

async function attempt(
  { part, seconds }: { readonly part: PlannedPart["part"] | PeerPart; readonly seconds: number },
  left: number,
  { gpus: [gpu] }: DeviceResult,
  python: string,
): Promise<PartResult> {
  const most = Math.min(seconds, left);
  if ("model" in part && gpu && weightBytes(part.model) > gpu.freeBytes)
    return {
      part,
      reason: `its weights take ${gibibytes(weightBytes(part.model))}, of which ${gibibytes(gpu.freeBytes)} are free`,
    };
  try {
    if (part.kind === "peer") return { part, result: await peerStep({ ...part, python, seconds: most }) };
    const result = await measured<{ flops?: number }>(part, most);
    const ceiling = part.kind === "product" && gpu ? productCeiling(gpu.name, part.weights) : undefined;
    return { part, result: { ...result, ...(ceiling && { ofCeiling: result.flops! / ceiling }) } };
  } catch (error) {
    const isLate = (error as Error).name === "TimeoutError";
    return { part, reason: isLate ? `it was not done in ${most.toFixed(0)} seconds` : (error as Error).message };
  }
}

function measured<T>(part: GpuPart, seconds: number): Promise<T> {
  const signal = AbortSignal.timeout(1e3 * seconds);
  return runProcess<T>({ program: WORKER, job: part, signal, flags: [], onNote: () => {} });
}
