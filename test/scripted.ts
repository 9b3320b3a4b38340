import * as tf from "@tensorflow/tfjs-core";
import { embed } from "../src/kernels/embed.ts";
import type { LanguageModel } from "../src/models/network.ts";
import type { TokenBatch } from "../src/nn/batch.ts";
import { fillValues } from "../src/tensor/parameter.ts";
import type { Tokenizer } from "../src/text/tokenizer.ts";

/** The probabilities of words after a word, such as { good: { yes: 0.6, no: 0.2 } }; all others share the rest. */
export type Script = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** A model that says what its script says: its output matrix is a table of log-probabilities, and all it sees is one word. */
export interface ScriptedModel extends LanguageModel {
  /** The texts that it has run so far, each with the begin token that it had. */
  readonly seen: string[];
  /** Lets it go by another script from now on. */
  follow(script: Script): void;
}

/** How a scripted model reads. */
export interface ScriptedOptions {
  /** It fills masks, where it sees the first word of its text, instead of continuing the last. */
  readonly masked?: boolean;
  /** The length of what its output matrix sees. */
  readonly scale?: number;
}

const SPECIAL = ["<s>", "</s>", "<mask>", "<bos>"];

/** A model of these words, and of the line break. */
export function scriptedModel(words: string, script: Script, options: ScriptedOptions = {}): ScriptedModel {
  const { masked = false, scale = 1 } = options;
  const tokenizer = wordTokenizer([...SPECIAL, "\n", ...words.split(" ")]);
  const { size } = tokenizer;
  const mask = tokenizer.id("<mask>");
  const sight = tf.tidy(() => tf.mul(tf.eye(size), scale));
  const table = tf.tensor2d(tableOf(script, tokenizer, scale), [size, size]);
  const follow = (other: Script): void => fillValues(table, (values) => values.set(tableOf(other, tokenizer, scale)));
  const seen: string[] = [];
  const embedding = (batch: TokenBatch): tf.Tensor2D => {
    const sequences = sequencesOf(batch);
    seen.push(...sequences.map((ids) => ids.map(tokenizer.word).join(" ")));
    const words = sequences.flatMap((ids) => ids.map((id) => (id === mask ? ids[1]! : id)));
    return embed(tf.tensor1d(words, "int32"), sight);
  };
  return {
    ...{ id: "scripted", folder: "", weightsHash: "scripted", tokenizer },
    prompts: masked ? "masked" : "autoregressive",
    ...{
      maxLength: 80,
      begin: { mezo: 0, config: 3 },
      ends: [1],
      keyWidth: size,
      keyHeads: 1,
      head: { weight: table },
    },
    embedding,
    // One layer, which changes nothing; its name is that of a weight, by whose width memory is predicted.
    layers: [{ parameters: ["lm_head.weight"], query: "lm_head", value: "lm_head", run: passOn }],
    ...{ embeddings: [], gains: [] },
    output: (x) => x as tf.Tensor2D,
    parameters: [{ name: "lm_head.weight", value: table }],
    restore: () => follow(script),
    dispose: () => tf.dispose([sight, table]),
    ...{ seen, follow },
  };
}

const passOn: LanguageModel["layers"][number]["run"] = (x, { batch, keep, wanted }) => {
  const copy = (): tf.Tensor => embed(tf.tensor1d([...Array(x.shape[0]).keys()], "int32"), x);
  keep?.({ keys: copy(), values: copy(), lengths: batch.lengths });
  return wanted(x) as tf.Tensor2D;
};

/** Words and line breaks, told apart by white space. */
function wordTokenizer(words: readonly string[]): Tokenizer & { readonly word: (id: number) => string } {
  const known = (word: string): number => {
    if (!words.includes(word)) throw new Error(`The scripted model has no word ${JSON.stringify(word)}.`);
    return words.indexOf(word);
  };
  const text = (ids: readonly number[]): string => ids.map((id) => words[id]).join(" ");
  return {
    encode: (line) => (line.match(/\n|\S+/g) ?? []).map(known),
    decode: (ids) => text(ids.filter((id) => id >= SPECIAL.length)).replace(/ ?\n ?/g, "\n"),
    id: (token) => (words.includes(token) ? words.indexOf(token) : undefined),
    special: { mask: words.indexOf("<mask>") },
    ...{ size: words.length, word: (id) => words[id]!, token: (id) => words[id] },
    ...{ kind: "words", specialTokens: [] },
  };
}

/** The log-probability of every word (row) after every word (column), over the scale. */
function tableOf(script: Script, { size, word }: ReturnType<typeof wordTokenizer>, scale: number): Float32Array {
  return Float32Array.from({ length: size * size }, (_, at) => {
    const after = script[word(at % size)] ?? {};
    const said = Object.values(after);
    const rest = (1 - said.reduce((sum, p) => sum + p, 0)) / (size - said.length);
    return Math.log(after[word(Math.floor(at / size))] ?? rest) / scale;
  });
}

function sequencesOf({ ids, lengths }: TokenBatch): number[][] {
  let end = 0;
  return lengths.map((length) => {
    end += length;
    return [...ids.subarray(end - length, end)];
  });
}
