import { availableParallelism } from "node:os";
import type { WeightFormat } from "../../src/models/weights.ts";
import type { BackendName } from "../../src/tensor/backend.ts";
import type { GpuPart } from "./gpuPart.ts";
import { shapesOnBackends } from "./shapes.ts";

/** A part, and the seconds that it may take at most. */
export interface PlannedPart {
  readonly part: GpuPart;
  readonly seconds: number;
}

/** The sizes of what is measured. */
export interface GpuSizes {
  readonly noise: number;
  readonly width: number;
  readonly models: readonly string[];
  readonly batches: readonly (readonly [rows: number, tokens: number])[];
  readonly steps: number;
}

/** Of a card, and of a machine that has none. */
export const SIZES: Readonly<Record<"full" | "small", GpuSizes>> = {
  full: {
    ...{ noise: 2 ** 27, width: 8192, models: ["opt-125m", "opt-1.3b", "opt-13b"], steps: 3 },
    batches: [
      [16, 64],
      [16, 400],
    ],
  },
  small: { noise: 2 ** 17, width: 64, models: ["tiny"], batches: [[2, 8]], steps: 1 },
};

const FORMATS: readonly WeightFormat[] = ["float32", "float16", "bfloat16"];
const LAWS = ["gaussian", "rademacher"] as const;

/** All parts on the backends that load, the ones first that most depends on: the noise's bits, then steps from the smallest shape on. */
export function planParts(backends: readonly BackendName[], sizes: GpuSizes): PlannedPart[] {
  const { noise: size, width, models, batches, steps } = sizes;
  const on = (make: (backend: BackendName) => readonly GpuPart[]): GpuPart[] => backends.flatMap(make);
  const noise = on((backend) => LAWS.map((law) => ({ kind: "noise", backend, law, size })));
  const products = on((backend) => FORMATS.map((weights) => ({ kind: "product", backend, weights, width })));
  const threads = availableParallelism();
  const step = models.flatMap((model) =>
    batches.flatMap(([rows, tokens]) =>
      on((backend) => [
        { kind: "step", backend, model, rows, tokens, weights: "float16", threads, passes: steps, steps },
      ]),
    ),
  );
  return [
    ...noise.map((part) => ({ part, seconds: 30 })),
    ...products.map((part) => ({ part, seconds: 30 })),
    ...step.map((part) => ({ part, seconds: 90 })),
  ];
}

/** Bytes of a step's weights alone, matrices in 16 bits: what lies on the device at the least. */
export function weightBytes(model: string): number {
  const { family, config } = shapesOnBackends[model]!;
  const sizes = [...family.shapes(config).values()].map(
    (shape) => (shape.length > 1 ? 2 : 4) * shape.reduce((a, b) => a * b, 1),
  );
  return sizes.reduce((a, b) => a + b);
}

/** Operations a second at which cards multiply dense matrices at most, by their makers' tables: in float32, and in 16 bits. */
const CARDS: readonly (readonly [name: RegExp, float32: number, halves: number])[] = [
  [/H100 PCIe/, 51e12, 756e12],
  [/H[12]00|GH200/, 67e12, 989e12],
  [/A100/, 19.5e12, 312e12],
  [/L40S/, 91.6e12, 362e12],
  [/\bL4\b/, 30.3e12, 121e12],
  [/RTX 4090/, 82.6e12, 165e12],
  [/\bT4\b/, 8.1e12, 65e12],
];

/** The ceiling of a card's products; undefined for one that the table does not have. */
export function productCeiling(name: string, weights: WeightFormat): number | undefined {
  const card = CARDS.find(([pattern]) => pattern.test(name));
  return card?.[weights === "float32" ? 1 : 2];
}
