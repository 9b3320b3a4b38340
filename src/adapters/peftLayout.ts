import type { SafetensorsFile } from "../checkpoints/safetensors.ts";
import type { NamedTensor } from "../checkpoints/write.ts";
import type { AdaptableNetwork, Adapted, Adapter } from "./adapter.ts";

/** The fields of adapter_config.json, by their names there. */
export type PeftConfig = Readonly<Record<string, unknown>>;

/** How one kind of adapter lies in a folder of Python's PEFT. */
export interface PeftLayout {
  /** What the configuration calls it. */
  readonly type: string;
  /** What the configuration says beside the type and the base model: for which task the model is made, and the sizes. */
  config(adapted: Adapted, network: AdaptableNetwork): PeftConfig;
  tensors(adapted: Adapted): Promise<NamedTensor[]>;
  /** The adapter's settings; throws a KitError for a configuration that cannot be followed. */
  options(path: string, config: PeftConfig): Adapter["options"];
  /** The weights; throws a KitError that names every missing, misshapen and unknown tensor. */
  read(file: SafetensorsFile, config: PeftConfig, network: AdaptableNetwork): Adapted;
}
