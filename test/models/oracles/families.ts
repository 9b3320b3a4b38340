import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { openCheckpoint } from "../../../src/checkpoints/folder.ts";
import { openGgufCheckpoint } from "../../../src/checkpoints/gguf/checkpoint.ts";
import { type StoredAs, writeSafetensors } from "../../../src/checkpoints/write.ts";
import { linear } from "../../../src/kernels/linear.ts";
import type { Config } from "../../../src/models/config.ts";
import { findFamily } from "../../../src/models/family.ts";
import { type LoadedNetwork, loadNetwork } from "../../../src/models/network.ts";
import { packBatch } from "../../../src/nn/batch.ts";
import type { Network } from "../../../src/nn/network.ts";
import { features } from "../../../src/nn/run.ts";
import "../../../src/models/index.ts";
import { convertConfig, convertWeights } from "../../checkpoints/gguf/converter.ts";
import { ggufBytes } from "../../checkpoints/gguf/files.ts";
import { takeRows } from "../../values.ts";

/** A tiny configuration of a family, and what transformers computes with it: families.py made it. */
export interface Oracle {
  readonly family: string;
  readonly name: string;
  readonly config: Config;
  readonly texts: readonly (readonly number[])[];
  /** A row of logits for every token of every text. */
  readonly logits: readonly (readonly (readonly number[])[])[];
  /** Prompts of a decoder, and the tokens that it continues them with. */
  readonly prompts: readonly (readonly number[])[];
  readonly greedy: readonly (readonly number[])[];
}

interface OracleFile {
  readonly texts: Oracle["texts"];
  readonly prompts?: Oracle["prompts"];
  readonly cases: readonly Pick<Oracle, "name" | "config" | "logits" | "greedy">[];
}

const HERE = import.meta.dirname;

/** Every oracle, family by family. */
export const ORACLES: readonly Oracle[] = readdirSync(HERE)
  .filter((file) => file.endsWith(".json"))
  .sort()
  .flatMap((file) => {
    const { texts, prompts = [], cases } = JSON.parse(readFileSync(join(HERE, file), "utf8")) as OracleFile;
    const family = file.replace(".json", "");
    return cases.map((one) => ({ ...one, family, texts, prompts, greedy: one.greedy ?? [] }));
  });

/** A tensor as checkpoints hold it. */
export interface StoredWeight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** The weights of an oracle's model under their checkpoint names, as checkpoints hold them: GPT-2's linear maps as [in, out]. */
export function weightsOf({ config }: Oracle): StoredWeight[] {
  const family = findFamily("oracle", config);
  return [...family.shapes(config)].map(([name, own]) => {
    const shape = family.isTransposed?.(name) ? own.toReversed() : own;
    const isGain = shape.length === 1 && name.endsWith("weight");
    const values = hashValues(name, tf.util.sizeFromShape([...shape]));
    return { name, shape, data: isGain ? values.map((v) => 1 + Math.floor(v * 64) / 128) : values };
  });
}

/** Multiples of 1/256 from −1/2 up, by a hash of the name and of each element's place: those of families.py. */
function hashValues(name: string, size: number): Float32Array {
  let start = 2166136261;
  for (const byte of new TextEncoder().encode(name)) start = Math.imul(start ^ byte, 16777619);
  return Float32Array.from({ length: size }, (_, i) => {
    let x = (start + Math.imul(i, 2654435761)) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x45d9f3b) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x45d9f3b) >>> 0;
    return (x >>> 24) / 256 - 0.5;
  });
}

/** Writes an oracle's model into a new folder: config.json and model.safetensors. */
export function writeOracle(oracle: Oracle, dtype: StoredAs = "F32"): string {
  const folder = mkdtempSync(join(tmpdir(), `${oracle.family}-`));
  writeFileSync(join(folder, "config.json"), JSON.stringify(oracle.config));
  writeSafetensors(join(folder, "model.safetensors"), weightsOf(oracle), { dtype });
  return folder;
}

/** Writes an oracle's model as a GGUF file in a new folder. */
export function writeGguf(oracle: Oracle, matrices: "F32" | "F16" = "F32"): string {
  const path = join(mkdtempSync(join(tmpdir(), `${oracle.family}-`)), "model.gguf");
  const tensors = convertWeights(oracle.config, weightsOf(oracle), matrices);
  writeFileSync(path, ggufBytes(convertConfig(oracle.config), tensors));
  return path;
}

/** The network of an oracle's folder, or of its file. */
export async function loadOracle(place: string): Promise<LoadedNetwork> {
  return loadNetwork(place.endsWith(".gguf") ? await openGgufCheckpoint(place) : openCheckpoint(place));
}

/** The logits of every token of a text. */
export function logitsOf(network: Network, ids: readonly number[]): Promise<number[][]> {
  const { weight, bias } = network.head;
  const logits = tf.tidy(() => {
    const seen = features(network, packBatch([ids]), [...ids.keys()]);
    return linear(seen, weight, bias ? { bias } : {});
  });
  return takeRows(logits);
}

/** The largest difference of a network's logits from the oracle's, over all tokens of all texts. */
export async function largestDifference(network: Network, { texts, logits }: Oracle): Promise<number> {
  const found: number[] = [];
  for (const ids of texts) found.push(...(await logitsOf(network, ids)).flat());
  const wanted = logits.flat(2);
  if (found.length !== wanted.length) throw new Error(`${found.length} logits where ${wanted.length} were expected`);
  return found.reduce((worst, v, i) => Math.max(worst, Math.abs(v - wanted[i]!)), 0);
}
