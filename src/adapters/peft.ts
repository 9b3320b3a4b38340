import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { hashFiles } from "../checkpoints/folder.ts";
import { readObject } from "../checkpoints/json.ts";
import { openWeights } from "../checkpoints/weightFiles.ts";
import { type NamedTensor, writeSafetensors } from "../checkpoints/write.ts";
import { KitError, showValue } from "../error.ts";
import type { AdaptableNetwork, Adapted, Adapter } from "./adapter.ts";
import { type PeftConfig, type PeftLayout, readCount, readExactly } from "./peftLayout.ts";
import { peftLora } from "./peftLora.ts";
import { makePrefix } from "./prefix.ts";

const NAME = "prompt_embeddings";

/**
 * One tensor [length, 2 · layers · width]: a row holds a virtual token's keys of the first layer, its values there, its keys of the
 * second, and so on; within each the heads follow one another, as in the kit.
 *
 * PEFT counts the virtual tokens as positions, and a prefix that it trained needs that. The kit, like the authors' code, does not: its own
 * prefixes say so in a field that PEFT does not know and warns about.
 */
export const peftPrefix: PeftLayout = {
  type: "PREFIX_TUNING",
  config: ({ parameters, adaptation }, { keyWidth, keyHeads, layers, prompts }) => ({
    // PEFT has no task for masked language models; without any it would ignore the prefix, and this one passes the model's output on.
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
    const firstPosition = readFirstPosition(path, config);
    return { length: readCount(path, config, "num_virtual_tokens"), ...(firstPosition > 0 && { firstPosition }) };
  },
  read: (file, config, { layers, keyWidth }) => {
    const length = readCount(file.path, config, "num_virtual_tokens");
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
    return makePrefix(
      layers.map((_, i) => ({ keys: columns(2 * i * keyWidth), values: columns((2 * i + 1) * keyWidth) })),
      readFirstPosition(file.path, config),
    );
  },
};

/** A field that PEFT writes into every configuration. */
const PEFTS_OWN = "auto_mapping";

/** The position of the first token after a prefix: PEFT counts the prefix's own tokens. */
function readFirstPosition(path: string, config: PeftConfig): number {
  const length = readCount(path, config, "num_virtual_tokens");
  return config.first_position === undefined && PEFTS_OWN in config ? length : 0;
}

const CONFIG = "adapter_config.json";
const WEIGHTS = "adapter_model.safetensors";
/** What PEFT wrote before it knew safetensors. */
const PICKLED = "adapter_model.bin";

/** A line for each adapter that PEFT has too; adding one adds a line. */
const LAYOUTS: Readonly<Partial<Record<Adapter["name"], PeftLayout>>> = { LoRA: peftLora, prefix: peftPrefix };

/** Whether PEFT has an adapter of that kind, so that `saveAdapter` can write it. */
export function isInPeft(kind: Adapter["name"]): boolean {
  return LAYOUTS[kind] !== undefined;
}

/** What a saved adapter states about its model. */
export interface SaveAdapterOptions {
  /** The network that the adapter was made for. */
  readonly network: AdaptableNetwork;
  /** Hub id or folder of the model's weights, where PEFT looks for them. */
  readonly baseModel: string;
}

/**
 * Writes an adapter into a folder as Python's PEFT does: adapter_model.safetensors in float32, and adapter_config.json. The old
 * configuration is removed first and the new one written last, so that a folder never holds parts of two adapters. Throws a KitError where
 * the folder cannot be written, and for a kind of adapter that PEFT does not have.
 *
 * PEFT computes LoRA as the kit does, but not a prefix that the kit trained: PEFT counts the virtual tokens as positions,
 * so that a sequence's first token stands at `length` instead of 0, whatever position_ids it is given. To get the kit's numbers in
 * Python, call the model under PEFT's: base_model(ids, past_key_values=peft_model.get_prompt(1), position_ids=torch.arange(n)[None]); for
 * RoBERTa, whose positions begin at 2, add 2. PEFT warns about the field `first_position`, which marks a prefix of the kit.
 */
export async function saveAdapter(
  folder: string,
  adapter: Pick<Adapter, "name">,
  adapted: Adapted,
  { network, baseModel }: SaveAdapterOptions,
): Promise<void> {
  const layout = LAYOUTS[adapter.name];
  if (!layout)
    throw new KitError(
      `Saving an adapter of the kind "${adapter.name}": PEFT has no such kind; save LoRA or a prefix.`,
    );
  const config = {
    peft_type: layout.type,
    base_model_name_or_path: baseModel,
    inference_mode: true,
    ...layout.config(adapted, network),
  };
  const tensors = await layout.tensors(adapted);
  const next = [WEIGHTS, CONFIG].map((file) => join(folder, `${file}.${process.pid}.next`)) as [string, string];
  try {
    mkdirSync(folder, { recursive: true });
    writeSafetensors(next[0], tensors, { dtype: "F32" });
    writeFileSync(next[1], `${JSON.stringify(config, null, 2)}\n`);
    rmSync(join(folder, CONFIG), { force: true });
    renameSync(next[0], join(folder, WEIGHTS));
    renameSync(next[1], join(folder, CONFIG));
  } catch (error) {
    for (const path of next.filter(existsSync)) rmSync(path);
    if (error instanceof KitError) throw error;
    throw new KitError(
      `Writing the adapter ${folder}: ${(error as Error).message}; choose a folder that can be written.`,
    );
  }
}

/**
 * Loads an adapter's weights from a folder that `saveAdapter` or Python's PEFT wrote, for the network that they were made for. It computes
 * the numbers of the library that trained it: after a prefix that PEFT trained, tokens count from its length (see `saveAdapter`).
 * Throws a KitError for a kind of adapter that the kit does not have, and one that names every missing, misshapen and unknown tensor.
 */
export function loadAdapter(folder: string, network: AdaptableNetwork): Adapted {
  const { layout, config, path } = openAdapter(folder);
  return layout.read({ path, tensors: openWeights(path) }, config, network);
}

/** An adapter that starts from the weights in a folder instead of drawing them. Reads the configuration now and the weights at `begin`; throws as `loadAdapter` does. */
export function savedAdapter(folder: string): Adapter {
  const { name, layout, config, path } = openAdapter(folder);
  return {
    name,
    options: { ...layout.options(join(folder, CONFIG), config), weights: hashFiles([path]) },
    begin: (network) => loadAdapter(folder, network),
  };
}

/** An adapter's folder: its kind, its configuration, and the path of its weights. */
interface AdapterFolder {
  readonly name: Adapter["name"];
  readonly layout: PeftLayout;
  readonly config: PeftConfig;
  readonly path: string;
}

function openAdapter(folder: string): AdapterFolder {
  const has = (file: string): boolean => existsSync(join(folder, file));
  const weights = [WEIGHTS, PICKLED].find(has);
  if (!has(CONFIG) || !weights)
    throw new KitError(
      `Reading the adapter ${folder}: no ${has(CONFIG) ? WEIGHTS : CONFIG} there; give a folder that an adapter was saved in.`,
    );
  const config = readObject(join(folder, CONFIG));
  const known = Object.entries(LAYOUTS) as [Adapter["name"], PeftLayout][];
  const found = known.find(([, { type }]) => type === config.peft_type);
  if (found) return { name: found[0], layout: found[1], config, path: join(folder, weights) };
  throw new KitError(
    `Reading the adapter ${folder}: it is of type ${showValue(config.peft_type)}, and the kit knows ${known.map(([, { type }]) => type).join(" and ")}.`,
  );
}
