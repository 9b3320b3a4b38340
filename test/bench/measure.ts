import { peakBytes } from "../../src/experiment/cost.ts";
import { secondsInNoise } from "../../src/tensor/noise/sweep.ts";
import type { Products } from "../../src/tensor/products.ts";
import type { Objective } from "../../src/tuners/tuner.ts";
import { median } from "./median.ts";
import { timeParts } from "./parts.ts";
import type { CaseRequest } from "./request.ts";
import { subjectOf } from "./subject.ts";

/** A case as measured: seconds of each step after the first, which warms up, and the peak memory of the process. */
export interface CaseResult {
  readonly stepSeconds: number;
  /** Forward passes, and backward ones where there are such, without the noise that is made inside them. */
  readonly passSeconds: number;
  readonly noiseSeconds: number;
  /** Share of the passes' time that was spent in operations of ONNX Runtime and of the kit's library. */
  readonly inGraphs: number;
  /** What of the step was spent in products, with the noise that the kit's own make, and in attention. */
  readonly productSeconds: number;
  readonly attentionSeconds: number;
  /** What the products were: their work, that of attention included, attention's alone, and how they were formed. */
  readonly flops: number;
  readonly attentionFlops: number;
  readonly products: Products;
  readonly trained: number;
  /** All weights, and the bytes that they are kept in. */
  readonly weights: number;
  readonly weightBytes: number;
  readonly peakBytes: number;
  readonly samples: readonly StepSeconds[];
}

/** Where one step's seconds went; `graphs` are those of all operations but noise. */
interface StepSeconds {
  readonly step: number;
  readonly passes: number;
  readonly graphs: number;
  readonly noise: number;
  readonly products: number;
  readonly attention: number;
}

/** Measures a case in this process, telling of each step that is done. */
export async function measureCase(request: CaseRequest, onStep: (done: number) => void): Promise<CaseResult> {
  const watch = new PassWatch();
  const { step, dispose, ...subject } = await subjectOf(request, (objective) => watch.around(objective));
  const samples: StepSeconds[] = [];
  for (let i = 0; i <= request.steps; i++) {
    samples.push(await timed(watch, () => step(i)));
    onStep(i + 1);
  }
  samples.shift();
  dispose();
  const middle = (of: (sample: StepSeconds) => number): number => median(samples.map(of));
  return {
    stepSeconds: middle(({ step }) => step),
    passSeconds: middle(({ passes }) => passes),
    noiseSeconds: middle(({ noise }) => noise),
    inGraphs: middle(({ graphs, passes }) => graphs / passes),
    productSeconds: middle(({ products }) => products),
    attentionSeconds: middle(({ attention }) => attention),
    ...{ ...subject, samples },
    peakBytes: peakBytes(),
  };
}

async function timed(watch: PassWatch, work: () => Promise<void>): Promise<StepSeconds> {
  const before = [watch.seconds, secondsInNoise()] as const;
  const started = performance.now();
  const { operations: graphs, ...parts } = await timeParts(work);
  const step = (performance.now() - started) / 1e3;
  return { step, passes: watch.seconds - before[0], graphs, noise: secondsInNoise() - before[1], ...parts };
}

/** Adds up the time spent inside an objective, less the noise that is made in there. */
class PassWatch {
  seconds = 0;

  around({ value, pair, side, gradient, derivative }: Objective): Objective {
    return {
      value: () => this.timed(value),
      ...(pair && { pair: (theta, shift) => this.timed(() => pair(theta, shift)) }),
      ...(side && { side: (theta, shift) => this.timed(() => side(theta, shift)) }),
      ...(gradient && { gradient: (theta) => this.timed(() => gradient(theta)) }),
      ...(derivative && { derivative: (...how) => this.timed(() => derivative(...how)) }),
    };
  }

  private async timed<T>(work: () => T | Promise<T>): Promise<T> {
    const noise = secondsInNoise();
    const started = performance.now();
    const result = await work();
    this.seconds += (performance.now() - started) / 1e3 - (secondsInNoise() - noise);
    return result;
  }
}
