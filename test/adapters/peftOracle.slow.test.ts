import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, expect, test } from "vitest";
import { mergeLora } from "../../src/adapters/lora.ts";
import { loadAdapter, saveAdapter, savedAdapter } from "../../src/adapters/peft.ts";
import { openCheckpoint } from "../../src/checkpoints/folder.ts";
import { linear } from "../../src/kernels/linear.ts";
import { loadNetwork } from "../../src/models/network.ts";
import { packBatch } from "../../src/nn/batch.ts";
import type { Network } from "../../src/nn/network.ts";
import { features } from "../../src/nn/run.ts";
import { takeValues } from "../values.ts";
import { apart } from "./networks.ts";

/** A python with torch, transformers and peft; without one there is nothing to compare with. */
const PYTHON = process.env.MEZO_PYTHON;
const FOLDER = mkdtempSync(join(tmpdir(), "peft-oracle-"));
afterAll(() => rmSync(FOLDER, { recursive: true }));

const PROGRAM = resolve(import.meta.dirname, "peftOracle.py");
if (PYTHON) execFileSync(PYTHON, [PROGRAM, FOLDER], { stdio: "ignore" });
const CASES = PYTHON
  ? readdirSync(FOLDER).flatMap((family) => readdirSync(join(FOLDER, family)).map((name) => [family, name]))
  : [["every family", "LoRA (set MEZO_PYTHON to a python with peft)"]];

interface Logits {
  readonly ids: number[];
  readonly plain: number[];
  readonly adapted: number[];
}

function logitsOf(network: Network, ids: readonly number[]): Promise<number[]> {
  const { weight, bias } = network.head;
  const every = [...ids.keys()];
  return takeValues(
    tf.tidy(() => linear(features(network, packBatch([[...ids]]), every), weight, bias ? { bias } : {})),
  );
}

test.skipIf(!PYTHON).each(CASES)(
  "%s: a LoRA that PEFT wrote with %s gives PEFT's logits, also saved again and merged",
  async (family, name) => {
    const folder = join(FOLDER, family!, name!);
    const { ids, plain, adapted }: Logits = JSON.parse(readFileSync(join(folder, "logits.json"), "utf8"));
    const network = loadNetwork(openCheckpoint(join(folder, "model")));
    const [adapter, loaded] = [savedAdapter(join(folder, "adapter")), loadAdapter(join(folder, "adapter"), network)];
    const again = mkdtempSync(join(FOLDER, "again-"));
    await saveAdapter(again, adapter, loaded, { network, baseModel: "tiny" });
    const reloaded = loadAdapter(again, network);
    expect(apart(plain, adapted)).toBeGreaterThan(1e-3);
    expect(apart(await logitsOf(network, ids), plain)).toBeLessThan(1e-5);
    for (const { adaptation } of [loaded, reloaded])
      expect(apart(await logitsOf({ ...network, adaptation }, ids), adapted)).toBeLessThan(1e-5);
    mergeLora(network.parameters, loaded);
    expect(apart(await logitsOf(network, ids), adapted)).toBeLessThan(1e-5);
    for (const { dispose } of [loaded, reloaded, network]) dispose();
  },
);
