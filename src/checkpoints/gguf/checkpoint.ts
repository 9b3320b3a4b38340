import type { Checkpoint, Companions } from "../folder.ts";
import { makeConfig, nameTensors } from "./config.ts";
import { type GgufFile, openGguf } from "./header.ts";
import { makeTokenizerFiles } from "./tokenizer.ts";

/**
 * Opens a GGUF file as the checkpoint that it was made of: its tensors by the names that they have there, config.json and the tokenizer's
 * files from its metadata. Throws a KitError for a damaged file, and for an architecture, a type or a tokenizer that is not read.
 */
export async function openGgufCheckpoint(path: string): Promise<Checkpoint> {
  const file = await openGguf(path);
  const config = makeConfig(file);
  const tensors = nameTensors(file, config);
  let unused: GgufFile | undefined = file; // large, with its vocabulary: kept for the first use only
  const companions = async (): Promise<Companions> => {
    const header = unused ?? (await openGguf(path));
    unused = undefined;
    return { "config.json": config, ...makeTokenizerFiles(header) };
  };
  return { folder: path, config, tensors, files: [path], companions };
}
