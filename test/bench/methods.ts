import type { Adapter } from "../../src/adapters/adapter.ts";
import { lora } from "../../src/adapters/lora.ts";
import { prefix } from "../../src/adapters/prefix.ts";
import { forwardGradient } from "../../src/lab/forwardGradient.ts";
import { leanAdam, leanMomentum } from "../../src/lab/lean.ts";
import { gaussian, rademacher } from "../../src/tensor/parameter.ts";
import { adam, mezoAdam } from "../../src/tuners/adam.ts";
import { conMezo } from "../../src/tuners/cone.ts";
import { evolutionStrategies, fzoo } from "../../src/tuners/fzoo.ts";
import { lozo, lozoMomentum } from "../../src/tuners/lozo.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { mezoMomentum } from "../../src/tuners/rules.ts";
import { sgd } from "../../src/tuners/sgd.ts";
import { sparseMezo } from "../../src/tuners/sparse.ts";
import type { Tuner } from "../../src/tuners/tuner.ts";
import type { BenchRequest } from "./request.ts";

/** A method that is measured. */
export interface BenchMethod {
  readonly name: string;
  /** A step's work in forward passes. A backward pass is two; with checkpointing the forward pass is run again for it. */
  readonly forwards: number;
  /** What makes the steps; without it a step is one evaluation of the loss. */
  readonly tuner?: (noise: BenchRequest["noise"]) => Tuner;
  readonly adapter?: Adapter;
  /** Moves the weights there and back in Algorithm 1's three sweeps, although both sides could be had in one pass. */
  readonly sweeps?: boolean;
  readonly checkpointing?: boolean;
  /** Rows that are run at once, where that is less than the batch. */
  readonly microBatchSize?: number;
  /** How often a step makes z for each trained weight, where that is all it does beside its passes. */
  readonly noises?: number;
}

const ESTIMATE = { lr: 1e-7, eps: 1e-3 };
const zerothOrder = (noise: BenchRequest["noise"]): Tuner =>
  mezo({ ...ESTIMATE, noise: { gaussian, rademacher }[noise] });
const firstOrder = (): Tuner => adam({ lr: 1e-6 });
/** Backpropagation in the least memory: activations of one layer of one row, and a gradient that is added up. */
const LEAN = { forwards: 4, checkpointing: true, microBatchSize: 1 } as const;

/** The method that the others' time and memory are compared with. */
export const INFERENCE = "Zero-shot";

/** The methods of the table, in its order. */
export const benchMethods: readonly BenchMethod[] = [
  { name: INFERENCE, forwards: 1 },
  { name: "MeZO", forwards: 2, noises: 2, tuner: zerothOrder },
  { name: "MeZO (sweeps)", forwards: 2, noises: 2, tuner: zerothOrder, sweeps: true },
  { name: "MeZO (LoRA)", forwards: 2, noises: 2, tuner: zerothOrder, adapter: lora() },
  { name: "MeZO (prefix)", forwards: 2, noises: 2, tuner: zerothOrder, adapter: prefix() },
  { name: "FT (Adam)", forwards: 3, tuner: firstOrder },
  { name: "FT (Adam, checkpointing)", forwards: 4, tuner: firstOrder, checkpointing: true },
];

/**
 * Methods that are measured where they are named: optimizers on MeZO's estimate, with their moments kept, or made of the last 20 steps, other
 * directions, the exact derivative along z, and backpropagation in little memory.
 */
export const moreBenchMethods: readonly BenchMethod[] = [
  { name: "FZOO", forwards: 9, tuner: () => fzoo(ESTIMATE) },
  { name: "FZOO (sweeps)", forwards: 9, tuner: () => fzoo(ESTIMATE), sweeps: true },
  { name: "Evolution strategies", forwards: 8, tuner: () => evolutionStrategies({ ...ESTIMATE, n: 8 }) },
  { name: "MeZO-momentum", forwards: 2, tuner: () => mezoMomentum(ESTIMATE) },
  { name: "MeZO-lean-momentum", forwards: 2, tuner: () => leanMomentum({ ...ESTIMATE, history: 20 }) },
  { name: "Sparse-MeZO", forwards: 2, noises: 2, tuner: () => sparseMezo(ESTIMATE) },
  { name: "ConMeZO", forwards: 2, tuner: () => conMezo(ESTIMATE) },
  { name: "LOZO", forwards: 2, tuner: () => lozo(ESTIMATE) },
  { name: "LOZO-momentum", forwards: 2, tuner: () => lozoMomentum(ESTIMATE) },
  { name: "MeZO-Adam", forwards: 2, tuner: () => mezoAdam(ESTIMATE) },
  { name: "MeZO-lean-Adam", forwards: 2, tuner: () => leanAdam({ ...ESTIMATE, history: 20 }) },
  { name: "Forward mode", forwards: 3, tuner: () => forwardGradient({ lr: 1e-7 }) },
  { name: "FT (SGD)", forwards: 3, tuner: () => sgd({ lr: 1e-3 }) },
  { name: "FT (Adam, row by row)", tuner: firstOrder, ...LEAN },
  { name: "FT (SGD, row by row)", tuner: () => sgd({ lr: 1e-3 }), ...LEAN },
  { name: "FT (LoRA, row by row)", tuner: firstOrder, adapter: lora(), ...LEAN },
];

/** The method of that name. */
export function benchMethod(name: string): BenchMethod {
  return [...benchMethods, ...moreBenchMethods].find((method) => method.name === name)!;
}

/** Whether a method's steps run a backward pass. */
export const isBackpropagated = ({ name }: BenchMethod): boolean => name.startsWith("FT");
