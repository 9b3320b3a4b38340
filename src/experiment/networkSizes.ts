import type { AdaptableNetwork } from "../adapters/adapter.ts";
import { loraNames } from "../adapters/lora.ts";
import type { Parameter } from "../tensor/parameter.ts";

/** How a batch is run through the network: forward alone, both sides at once, or with its gradient. */
export type Execution = "forward" | "pair" | "backward" | "checkpointed";

/** A network as far as its memory goes. */
export type SizedNetwork = Pick<
  AdaptableNetwork,
  "parameters" | "layers" | "embeddings" | "keyWidth" | "keyHeads" | "isSmooth"
>;

/** What decides how much a network's results take: widths in numbers a token, and what its feed-forward part is like. */
export interface Sizes {
  /** Of a layer's result, of its keys, and of the wide result of its feed-forward part. */
  readonly width: number;
  readonly keys: number;
  readonly wide: number;
  /** Heads of attention. */
  readonly heads: number;
  readonly layers: number;
  /** Whether two wide results are multiplied, as in Llama. */
  readonly isGated: boolean;
  readonly isSmooth: boolean;
  /** Whether an adapter adds to the wide result: then no operation computes the whole feed-forward part. */
  readonly isAdapted: boolean;
  /** Whether a prefix's keys and values are joined to each sequence's own. */
  readonly hasPrefix: boolean;
}

/** The sizes of a network with the weights of an adapter. */
export function readSizes(network: SizedNetwork, adapter: readonly Parameter[]): Sizes {
  const { parameters, layers, keyWidth, keyHeads, isSmooth = false } = network;
  const shapes = new Map(parameters.map(({ name, value }) => [name, value.shape]));
  const { query, parameters: own } = layers[0]!;
  const width = shapes.get(`${query}.weight`)![1]!;
  const matrices = [...shapes].filter(([name, shape]) => own.includes(name) && shape.length === 2);
  const wide = Math.max(...matrices.map(([, [out]]) => out!));
  const upwards = matrices.filter(([, [out]]) => out === wide).map(([name]) => name.replace(/\.weight$/, ""));
  return {
    ...{ width, keys: keyWidth, wide, layers: layers.length, isSmooth },
    heads: Math.round((width * keyHeads) / keyWidth),
    isGated: wide > width && upwards.length > 1,
    hasPrefix: adapter.some(({ name }) => name.startsWith("prompt_embeddings")),
    isAdapted: upwards.some((name) => adapter.some((weight) => weight.name === loraNames(name).a)),
  };
}
