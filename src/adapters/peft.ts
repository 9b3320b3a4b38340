import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hashFiles } from "../checkpoints/hash.ts";
import { readObject } from "../checkpoints/json.ts";
import { openSafetensors } from "../checkpoints/safetensors.ts";
import { writeSafetensors } from "../checkpoints/write.ts";
import { KitError } from "../error.ts";
import type { AdaptableNetwork, Adapted, Adapter } from "./adapter.ts";
import type { PeftConfig, PeftLayout } from "./peftLayout.ts";
import { peftLora } from "./peftLora.ts";
import { peftPrefix } from "./peftPrefix.ts";
import { shown } from "./peftTensors.ts";

const CONFIG = "adapter_config.json";
const WEIGHTS = "adapter_model.safetensors";

/** A line for each adapter that PEFT has too; adding one adds a line. */
const LAYOUTS: Readonly<Partial<Record<Adapter["name"], PeftLayout>>> = { LoRA: peftLora, prefix: peftPrefix };

/** What a saved adapter tells of its model. */
export interface SaveAdapterOptions {
  /** The network that the adapter was made for. */
  readonly network: AdaptableNetwork;
  /** Hub id or folder of the model's weights, where PEFT looks for them. */
  readonly baseModel: string;
}

/**
 * Writes an adapter into a folder as Python's PEFT does: adapter_model.safetensors in float32, and adapter_config.json. The
 * configuration, without which a folder is no adapter, goes before the old weights do and comes back last, so that a folder never
 * holds halves of two adapters. Throws a KitError where the folder cannot be written, and for a kind of adapter that PEFT does not have.
 *
 * PEFT computes LoRA as the kit does. A prefix that the kit trained it computes otherwise: PEFT counts the virtual tokens as positions,
 * so that a sequence's first token stands at `length` instead of 0, whatever position_ids it is given. To have the kit's numbers in
 * Python, ask the model under PEFT's: base_model(ids, past_key_values=peft_model.get_prompt(1), position_ids=torch.arange(n)[None]); for
 * RoBERTa, whose positions begin at 2, add 2. PEFT warns of the field `first_position`, which says that a prefix is the kit's.
 */
export async function saveAdapter(
  folder: string,
  adapter: Adapter,
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
 * An adapter's weights from a folder that `saveAdapter` or Python's PEFT wrote, for the network that they were made for. It gives the
 * numbers of whichever trained it: beside a prefix that PEFT trained, tokens count from its length on (see `saveAdapter`).
 * Throws a KitError for a kind of adapter that the kit does not have, and one that names every missing, misshapen and unknown tensor.
 */
export function loadAdapter(folder: string, network: AdaptableNetwork): Adapted {
  const { layout, config } = openAdapter(folder);
  return layout.read(openSafetensors(join(folder, WEIGHTS)), config, network);
}

/** An adapter that starts from the weights in a folder instead of drawing them. Reads the configuration now, the weights at `begin`; throws as `loadAdapter` does. */
export function savedAdapter(folder: string): Adapter {
  const { name, layout, config } = openAdapter(folder);
  return {
    name,
    options: { ...layout.options(join(folder, CONFIG), config), weights: hashFiles([join(folder, WEIGHTS)]) },
    begin: (network) => loadAdapter(folder, network),
  };
}

function openAdapter(folder: string): { name: Adapter["name"]; layout: PeftLayout; config: PeftConfig } {
  for (const file of [CONFIG, WEIGHTS])
    if (!existsSync(join(folder, file)))
      throw new KitError(`Reading the adapter ${folder}: no ${file} there; ${adviceFor(folder)}.`);
  const config = readObject(join(folder, CONFIG));
  const known = Object.entries(LAYOUTS) as [Adapter["name"], PeftLayout][];
  const found = known.find(([, { type }]) => type === config.peft_type);
  if (found) return { name: found[0], layout: found[1], config };
  throw new KitError(
    `Reading the adapter ${folder}: it is of type ${shown(config.peft_type)}, and the kit knows ${known.map(([, { type }]) => type).join(" and ")}.`,
  );
}

const adviceFor = (folder: string): string =>
  existsSync(join(folder, "adapter_model.bin"))
    ? "there is adapter_model.bin, so save it with safe_serialization=True"
    : "give a folder that an adapter was saved in";
