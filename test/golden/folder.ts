import { copyFileSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCheckpoint } from "../../src/checkpoints/folder.ts";
import { type LoadedNetwork, loadNetwork } from "../../src/models/network.ts";
import { shared } from "../shared.ts";

/** The network of a golden checkpoint: its config and weights put into a folder as the hub lays them out. */
export function goldenNetwork(weights: string, config: string): LoadedNetwork {
  const folder = mkdtempSync(join(tmpdir(), "golden-"));
  copyFileSync(shared(`golden/${config}`)!, join(folder, "config.json"));
  copyFileSync(shared(`golden/${weights}`)!, join(folder, "model.safetensors"));
  return loadNetwork(openCheckpoint(folder));
}
