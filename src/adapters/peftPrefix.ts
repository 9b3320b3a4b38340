import * as tf from "@tensorflow/tfjs";
import type { NamedTensor } from "../checkpoints/write.ts";
import type { PeftLayout } from "./peftLayout.ts";
import { countIn, readExactly } from "./peftTensors.ts";
import { prefixWith } from "./prefix.ts";

const NAME = "prompt_embeddings";

/**
 * One tensor [length, 2 · layers · width]: a row holds a virtual token's keys of the first layer, its values there, its keys of the
 * second, and so on; within each the heads stand one after another, as they do in the kit.
 */
export const peftPrefix: PeftLayout = {
  type: "PREFIX_TUNING",
  config: ({ parameters }, { keyWidth, keyHeads, layers, prompts }) => ({
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
  options: (path, config) => ({ length: countIn(path, config, "num_virtual_tokens") }),
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
    );
  },
};
