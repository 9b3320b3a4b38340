import * as tf from "@tensorflow/tfjs";
import type { NamedTensor } from "../checkpoints/write.ts";
import type { PeftConfig, PeftLayout } from "./peftLayout.ts";
import { countIn, readExactly } from "./peftTensors.ts";
import { prefixWith } from "./prefix.ts";

const NAME = "prompt_embeddings";

/**
 * One tensor [length, 2 · layers · width]: a row holds a virtual token's keys of the first layer, its values there, its keys of the
 * second, and so on; within each the heads stand one after another, as they do in the kit.
 *
 * PEFT counts the virtual tokens as positions, and a prefix that it trained needs that. The kit, as the authors' code, does not: a prefix
 * of its own says so in a field that PEFT does not know, and warns of.
 */
export const peftPrefix: PeftLayout = {
  type: "PREFIX_TUNING",
  config: ({ parameters, adaptation }, { keyWidth, keyHeads, layers, prompts }) => ({
    // PEFT has no task for masked language models; without any it would leave the prefix out, and this one hands on the model's output.
    task_type: prompts === "autoregressive" ? "CAUSAL_LM" : "FEATURE_EXTRACTION",
    num_virtual_tokens: parameters[0]!.value.shape[0],
    token_dim: keyWidth,
    num_transformer_submodules: 1,
    num_attention_heads: keyHeads,
    num_layers: layers.length,
    encoder_hidden_size: keyWidth,
    prefix_projection: false,
    modules_to_save: null,
    ...(adaptation.firstPosition ? { [PEFTS_OWN]: null } : { first_position: 0 }),
  }),
  tensors: async ({ parameters }): Promise<NamedTensor[]> => {
    const rows = tf.tidy(() =>
      tf.concat(
        parameters.map(({ value }) => value),
        1,
      ),
    );
    const data = (await rows.data()) as Float32Array;
    rows.dispose();
    return [{ name: NAME, shape: rows.shape, data }];
  },
  options: (path, config) => {
    const firstPosition = firstPositionIn(path, config);
    return { length: countIn(path, config, "num_virtual_tokens"), ...(firstPosition > 0 && { firstPosition }) };
  },
  read: (file, config, { layers, keyWidth }) => {
    const length = countIn(file.path, config, "num_virtual_tokens");
    const width = 2 * layers.length * keyWidth;
    const rows = readExactly(file, new Map([[NAME, [length, width]]]))(NAME);
    const columns = (from: number): tf.Tensor => {
      const values = new Float32Array(length * keyWidth);
      for (let row = 0; row < length; row++) {
        const start = row * width + from;
        values.set(rows.subarray(start, start + keyWidth), row * keyWidth);
      }
      return tf.tensor2d(values, [length, keyWidth]);
    };
    return prefixWith(
      layers.map((_, i) => ({ keys: columns(2 * i * keyWidth), values: columns((2 * i + 1) * keyWidth) })),
      firstPositionIn(file.path, config),
    );
  },
};

/** A field that PEFT writes into every configuration. */
const PEFTS_OWN = "auto_mapping";

/** Where the tokens after a prefix begin to count: after its own in PEFT's. */
function firstPositionIn(path: string, config: PeftConfig): number {
  const length = countIn(path, config, "num_virtual_tokens");
  return config.first_position === undefined && PEFTS_OWN in config ? length : 0;
}
