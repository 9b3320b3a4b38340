import type { OverheadPoint } from "./clusterOverhead.ts";
import {
  allReduceBytes,
  aloneSeconds,
  type Division,
  type MessageSizes,
  type Overhead,
  overheadSeconds,
  type Rates,
  SPLITS,
  stepSeconds,
  trainedModel,
  workerBytes,
} from "./clusterScaleModel.ts";
import { VIRTUAL, type VirtualPoint } from "./clusterVirtual.ts";

/** What was measured that predictions are made from. */
export interface Measured {
  readonly rates: Rates;
  readonly overhead: { readonly points: readonly OverheadPoint[]; readonly fit: Overhead };
  readonly simulation: readonly VirtualPoint[];
  readonly tokens: number;
}

/** A predicted step. */
export interface Prediction extends Division {
  readonly model: string;
  readonly split: keyof typeof SPLITS;
  readonly workers: number;
  readonly latencyMs: number;
  /** How many times as fast as the one that was measured a worker is taken to be. */
  readonly speed: number;
  readonly stepSeconds: number;
  /** In one process, the same step. */
  readonly aloneSeconds: number;
  readonly speedUp: number;
  readonly workerBytes: number;
}

/** What an all-reduce of gradients would move beside it. */
export interface AllReduce {
  readonly model: string;
  readonly workers: number;
  readonly bytesPerWorker: number;
  readonly secondsAt1Gbit: number;
  readonly secondsAt10Gbit: number;
  /** The same of the kit's messages, rows divided. */
  readonly ownBytesPerWorker: number;
}

const MODELS = ["opt-1.3b", "opt-13b"] as const;
const WORKERS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024] as const;
const LATENCIES = [0.1, 1, 50] as const;
const SPEEDS = [1, 100] as const;

/** Bytes that a token's id takes in a message: OPT's have at most five digits, and a comma. */
const PER_TOKEN = 6;

/** What a line takes beside its z's, and for each of them two losses and an estimate of up to 20 characters. */
const LINE = { perLine: 100, perDirection: 63 } as const;

/** What messages weigh: a piece and its answer are the difference between the most shards and one, which have the same rows. */
export function sizesOf(points: readonly OverheadPoint[]): MessageSizes {
  const still = points.filter(({ latencyMs }) => latencyMs === 0).toSorted((a, b) => a.shards - b.shards);
  const [least, most] = [still[0]!, still.at(-1)!];
  const perPiece = (most.bytesPerStep - least.bytesPerStep) / (most.shards - least.shards);
  return { perPiece, perToken: PER_TOKEN, ...LINE };
}

/** All predictions, and what they take for granted. */
export function predictAll({ rates, overhead, tokens }: Measured): {
  readonly sizes: MessageSizes;
  readonly predictions: readonly Prediction[];
  readonly allReduce: readonly AllReduce[];
  readonly assumptions: readonly string[];
} {
  const sizes = sizesOf(overhead.points);
  const predict = predictor({ rates, overhead: overhead.fit, tokens, sizes });
  const predictions = MODELS.flatMap((shape) =>
    (["rows", "directions", "batch"] as const).flatMap((split) =>
      SPEEDS.flatMap((speed) =>
        LATENCIES.flatMap((latencyMs) =>
          WORKERS.map((workers) => predict(shape, { split, speed, latencyMs, workers })),
        ),
      ),
    ),
  );
  const allReduce = MODELS.flatMap((shape) => {
    const { name, weights } = trainedModel(shape, tokens);
    return WORKERS.filter((workers) => workers > 1).map((workers): AllReduce => {
      const bytesPerWorker = allReduceBytes(weights, 2, workers);
      const secondsAt = (gigabits: number): number => (8 * bytesPerWorker) / (gigabits * 1e9);
      const own = workerBytes(SPLITS.rows(workers), workers, tokens, sizes);
      const times = { secondsAt1Gbit: secondsAt(1), secondsAt10Gbit: secondsAt(10) };
      return { model: name, workers, bytesPerWorker, ...times, ownBytesPerWorker: own };
    });
  });
  return { sizes, predictions, allReduce, assumptions: ASSUMPTIONS };
}

type Predict = (
  shape: (typeof MODELS)[number],
  given: Pick<Prediction, "split" | "speed" | "latencyMs" | "workers">,
) => Prediction;

function predictor(by: {
  readonly rates: Rates;
  readonly overhead: Overhead;
  readonly tokens: number;
  readonly sizes: MessageSizes;
}): Predict {
  return (shape, { split, speed, latencyMs, workers }) => {
    const model = trainedModel(shape, by.tokens);
    const division = SPLITS[split](workers);
    const rates = faster(by.rates, speed);
    const seconds = stepSeconds(model, division, { workers, rates, overhead: by.overhead, latencyMs });
    const alone = aloneSeconds(model, division, rates);
    const given = { model: model.name, split, speed, latencyMs, workers, ...division };
    const bytes = workerBytes(division, workers, by.tokens, by.sizes);
    return { ...given, stepSeconds: seconds, aloneSeconds: alone, speedUp: alone / seconds, workerBytes: bytes };
  };
}

const faster = ({ flopsPerSecond, lookedPerSecond, movedPerSecond }: Rates, speed: number): Rates => ({
  flopsPerSecond: speed * flopsPerSecond,
  lookedPerSecond: speed * lookedPerSecond,
  movedPerSecond: speed * movedPerSecond,
});

const ASSUMPTIONS = [
  "A worker is one thread of the machine that this file names; larger models are computed at OPT-125M's measured rates: operations a second of passes, and weights a second of z and of moves.",
  "A speed of 100 is a worker a hundred times as fast in all three, which nobody measured: it shows where messages begin to count.",
  "All workers are equal and none fails: the simulation says by how much unequal ones and failures lengthen a step.",
  "The overhead of a step was measured with up to 16 pieces, on a server, a coordinator and workers that share two cores with each other; of more pieces it is the straight line's.",
  "A token's id takes six bytes of a message, as OPT's vocabulary has 50,272; a worker's bytes are payloads, without NATS's own words.",
  "An all-reduce is a ring's, of gradients in 2 bytes a weight, on links that carry nothing else; it takes no time but that of its bytes.",
];

/** What the model says of a measurement that it was not fitted to. */
export interface Check {
  readonly what: string;
  readonly predicted: number;
  readonly measured: number;
}

/** A step that bench:scale measured on the same kind of machine, by two threads: data/runs/bench-scale-2threads.json. */
const LARGE = {
  what: "bench-scale, OPT-6.7B in bfloat16, 4 rows, two threads, seconds",
  ...{ rows: 4, shards: 1, directions: 1, seconds: 39.36 },
};

/** The bench of real workers: seconds of steps alone and together. */
export interface ClusterBench {
  readonly turns: readonly { readonly alone: readonly number[]; readonly together: readonly number[] }[];
}

/** Compares the model with the bench of one and of two real workers, with the simulation's equal workers, and with the overhead that it was fitted to. */
export function checkModel({ rates, overhead, simulation, tokens }: Measured, bench: ClusterBench): Check[] {
  const model = trainedModel("opt-125m", tokens);
  const place = { rates, overhead: overhead.fit, latencyMs: 0 };
  const fastest = (who: "alone" | "together"): number => Math.min(...bench.turns.flatMap((turn) => turn[who]));
  const two = SPLITS.rows(2);
  return [
    {
      what: "bench-cluster, one process, seconds",
      predicted: aloneSeconds(model, two, rates),
      measured: fastest("alone"),
    },
    {
      what: "bench-cluster, two workers, seconds",
      predicted: stepSeconds(model, two, { ...place, workers: 2 }),
      measured: fastest("together"),
    },
    {
      what: LARGE.what,
      predicted: aloneSeconds(trainedModel("opt-6.7b", tokens), LARGE, faster(rates, 2)),
      measured: LARGE.seconds,
    },
    ...simulation.filter(({ sigma, deaths }) => sigma === 0 && deaths === 0).map(virtualCheck(overhead.fit)),
    ...overhead.points.map(({ shards, latencyMs, stepMs }) => ({
      what: `overhead of ${shards} pieces at ${latencyMs} ms, milliseconds`,
      predicted: 1e3 * overheadSeconds(overhead.fit, shards, latencyMs),
      measured: stepMs,
    })),
  ];
}

/** The virtual step by the model's own formula, with messages as many as were measured on the server. */
function virtualCheck({ messagesInARow }: Overhead): (point: VirtualPoint) => Check {
  const { passSeconds, lookSeconds, moveSeconds, latency, rows } = VIRTUAL;
  return ({ workers, shards, relativeStep }) => {
    const piece = lookSeconds + (passSeconds * Math.ceil(rows / shards)) / rows;
    const step = Math.ceil(shards / workers) * piece + moveSeconds + messagesInARow * latency;
    return {
      what: `simulation, ${workers} equal workers and ${shards} pieces, steps of one process`,
      predicted: step / (passSeconds + lookSeconds + moveSeconds),
      measured: relativeStep,
    };
  };
}
