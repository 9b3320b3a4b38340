import type { Tokenizer } from "../text/tokenizer.ts";
import type { LoadedNetwork } from "./network.ts";

/** A language model, ready to run: its weights, its forward pass and its tokenizer. */
export interface LanguageModel extends LoadedNetwork {
  /** The hub id that was asked for, or the folder's last name. */
  readonly id: string;
  /** Where its files lie on this machine. */
  readonly folder: string;
  /** The hub's commit, where the model came from there. */
  readonly revision?: string;
  /** First 16 hexadecimal digits of the SHA-256 over the weight files. */
  readonly weightsHash: string;
  readonly tokenizer: Tokenizer;
  /** Whether the output matrix was given weights of its own, where the checkpoint has it tied to the embedding. */
  readonly untied?: boolean;
  /** How matrices are kept where not in float32: "float16, stochastic rounding". */
  readonly kept?: string;
}
