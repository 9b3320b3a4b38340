import type { Ceilings } from "./ceilings.ts";
import type { Peer } from "./peerFind.ts";
import type { PeerCeilings } from "./peerRun.ts";

const billions = (rate: number): string => (rate / 1e9).toFixed(0);
const millions = (rate: number): string => `${(rate / 1e6).toFixed(0)} million`;

/** The ceilings that this run measured, in a sentence. */
export function ceilingsText({ gemm, float32, bf16, gaussian, rademacher, copied }: Ceilings): string {
  const own =
    bf16 === undefined ? "" : `, ${billions(float32!)} in the kit's float32 and ${billions(bf16)} in its bf16`;
  return `Ceilings: ${billions(gemm)} GFLOPS in one product [1024, 768] x [768, 3072] of ONNX Runtime${own}; ${millions(gaussian)} normals or ${millions(rademacher)} signs added to weights a second; ${billions(copied)} GB/s read and written by a thread that copies`;
}

/** A peer's, in a sentence. */
export function peerCeilingsText({ version }: Pick<Peer, "version">, found: PeerCeilings): string {
  const { sgemm_gflops, bfloat16_gflops, normals_per_s, bytes_per_s } = found;
  return `PyTorch ${version}: ${sgemm_gflops.toFixed(0)} GFLOPS in that product in float32, ${bfloat16_gflops.toFixed(0)} in bfloat16; ${millions(normals_per_s)} normals a second; ${billions(bytes_per_s)} GB/s read and written in place`;
}
