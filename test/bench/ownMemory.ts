import { type WeightFormat, weightFormats } from "../../src/models/weights.ts";
import type { Progress } from "../../src/tensor/progress.ts";
import { INFERENCE } from "./methods.ts";
import { caseResult } from "./ownProcess.ts";
import type { PeerPlan } from "./peerRounds.ts";
import type { CaseRequest } from "./request.ts";

/** Peak memory of a MeZO step and of our own inference, with matrices in one format. */
export interface OwnMemory {
  readonly weights: WeightFormat;
  readonly stepBytes: number;
  readonly inferenceBytes: number;
}

const CASE = { model: "opt-125m", rows: 16, tokens: 64, noise: "gaussian", loss: "answer" } as const;

/** Measures both with every format of weights, each in a process of its own. */
export async function measureOwnMemory({ size }: PeerPlan, onProgress: Progress): Promise<OwnMemory[]> {
  const found: OwnMemory[] = [];
  for (const weights of weightFormats) {
    const peak = async (method: string): Promise<number> => {
      const request: CaseRequest = { ...CASE, ...size, weights, method, steps: 1 };
      return (await caseResult(request, `memory of ${method}, ${weights}`, onProgress)).peakBytes;
    };
    found.push({ weights, stepBytes: await peak("MeZO"), inferenceBytes: await peak(INFERENCE) });
  }
  return found;
}
