import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { type Adapted, adapterNamed } from "../../src/adapters/adapter.ts";
import { lora, mergeLora } from "../../src/adapters/lora.ts";
import { loadAdapter, saveAdapter } from "../../src/adapters/peft.ts";
import { prefix } from "../../src/adapters/prefix.ts";
import { readObject } from "../../src/checkpoints/json.ts";
import { readTensor } from "../../src/checkpoints/safetensors.ts";
import { openSafetensors } from "../../src/checkpoints/safetensorsHeader.ts";
import { linear } from "../../src/kernels/linear.ts";
import { packBatch } from "../../src/nn/batch.ts";
import { plainGradient } from "../../src/nn/gradient.ts";
import type { Network } from "../../src/nn/network.ts";
import { features } from "../../src/nn/run.ts";
import { gaussian } from "../../src/tensor/parameter.ts";
import { temporaryFolder } from "../checkpoints/files.ts";
import { goldenNetwork } from "../golden/folder.ts";
import { needs, shared } from "../shared.ts";
import { allValues, setValues, takeValues, valuesOf } from "../values.ts";
import { apart, BATCH, bitsOf, FAMILIES, featuresOf, KEY_WIDTH, lossOf, ROWS, tail, withNetwork } from "./networks.ts";

const AT = { seed: 1, vocabulary: 32 };
const isB = ({ name }: { name: string }): boolean => name.endsWith("lora_B.weight");

describe.each(FAMILIES)("LoRA on %s", (family) => {
  test("starts as the network itself, to the bit, with A within ±1/√in and B at 0", () =>
    withNetwork(family, async (network) => {
      const { adaptation, parameters, dispose } = lora().begin(network, AT);
      expect(await featuresOf({ ...network, adaptation })).toEqual(await featuresOf(network));
      const perLayer =
        family === "gpt2"
          ? [[48, 8]]
          : [
              [16, 8],
              [KEY_WIDTH[family], 8],
            ]; // GPT-2's queries, keys and values are one map
      expect(parameters).toHaveLength(4 * perLayer.length); // A and B of queries and values in 2 layers
      for (const { name, value } of parameters) {
        const values = [...(await valuesOf(value))];
        if (isB({ name })) expect(values.every((v) => v === 0)).toBe(true);
        else expect(value.shape).toEqual([8, 16]);
        const largest = Math.max(...values.map(Math.abs));
        if (!isB({ name })) expect(largest > 0.9 / 4 && largest <= 1 / 4).toBe(true);
      }
      const widths = parameters.filter(isB).map(({ value }) => value.shape);
      expect(widths).toEqual([...perLayer, ...perLayer]);
      dispose();
    }));

  test("has a gradient at B alone at the start, and perturbing B changes the loss", () =>
    withNetwork(family, async (network) => {
      const { adaptation, parameters, dispose } = lora().begin(network, AT);
      const whole = { ...network, adaptation };
      const { gradients } = await plainGradient(whole, BATCH, ROWS, tail, parameters);
      (await allValues(gradients)).forEach((of, i) => {
        const flat = of.every((v) => v === 0);
        expect(flat, parameters[i]!.name).toBe(!isB(parameters[i]!));
      });
      const before = await lossOf(whole);
      gaussian(parameters.filter(isB), 1e-2, { seed: 2, step: 0 });
      expect(Math.abs((await lossOf(whole)) - before)).toBeGreaterThan(1e-5);
      tf.dispose(gradients);
      dispose();
    }));

  test("adapts the named linear maps, which a header's options restore", () =>
    withNetwork(family, async (network) => {
      const [first, last] = [network.layers[0]!.query, network.layers[1]!.value].map((name) => name.split(".").at(-1)!);
      const adapter = lora({ rank: 2, targets: [first!, last!] });
      expect(adapter.options).toEqual({ rank: 2, alpha: 16, targets: `${first},${last}` });
      const [given, plain] = [adapter.begin(network, AT), lora({ rank: 2 }).begin(network, AT)];
      const again = lora(adapter.options).begin(network, AT);
      const names = ({ parameters }: Adapted) => parameters.map(({ name }) => name);
      expect(names(given)).toEqual(names(plain)); // those that are adapted where none are named
      expect(names(again)).toEqual(names(given));
      for (const adapted of [given, plain, again]) adapted.dispose();
      const one = lora({ rank: 2, targets: network.layers[1]!.query }).begin(network, AT);
      expect([...one.lora!.parts.keys()]).toEqual([network.layers[1]!.query]);
      one.dispose();
      expect(() => lora({ targets: [first!, "q_prj", "embed_tokens"] }).begin(network, AT)).toThrow(
        /^LoRA was to adapt q_prj and embed_tokens, but the model has no linear map of that name: choose among .*, or all-linear\.$/,
      );
    }));

  test("is made again from a header that calls its linear maps modules, as recorded runs do", () =>
    withNetwork(family, async (network) => {
      const end = network.layers[0]!.value.split(".").at(-1)!;
      const recorded = { rank: 2, alpha: 4, modules: end };
      const adapter = adapterNamed("LoRA", recorded);
      expect(adapter.options).toEqual(recorded);
      const [old, now] = [adapter, lora({ rank: 2, alpha: 4, targets: [end] })].map((one) => one.begin(network, AT));
      expect(old!.parameters.map(({ name }) => name)).toEqual(now!.parameters.map(({ name }) => name));
      expect(await bitsOf(old!.parameters)).toEqual(await bitsOf(now!.parameters));
      for (const adapted of [old!, now!]) adapted.dispose();
    }));

  test("that is rank-stabilized multiplies by alpha / √rank, which its options and PEFT's configuration say", () =>
    withNetwork(family, async (network) => {
      const adapter = lora({ rank: 4, alpha: 3, rslora: true });
      expect(adapter.options).toEqual({ rank: 4, alpha: 3, rslora: true });
      const [stabilized, plain] = [adapter, lora({ rank: 4, alpha: 6 })].map((one) => one.begin(network, AT));
      for (const { parameters } of [stabilized!, plain!]) gaussian(parameters, 0.2, { seed: 2, step: 0 });
      const [a, b] = await Promise.all(
        [stabilized!, plain!].map(({ adaptation }) => featuresOf({ ...network, adaptation })),
      );
      expect(a).toEqual(b); // 3 / √4 = 6 / 4
      expect(apart(a!, await featuresOf(network))).toBeGreaterThan(0.05);
      const folder = temporaryFolder();
      await saveAdapter(folder, adapter, stabilized!, { network, baseModel: "some/model" });
      expect(readObject(join(folder, "adapter_config.json"))).toMatchObject({ r: 4, lora_alpha: 3, use_rslora: true });
      const again = loadAdapter(folder, network);
      expect(await featuresOf({ ...network, adaptation: again.adaptation })).toEqual(a);
      for (const adapted of [stabilized!, plain!, again]) adapted.dispose();
      expect(() => lora({ rslora: 1 as never })).toThrow(/^LoRA needs true or false as rslora, not 1\.$/);
    }));

  test("of all linear maps adapts each but the output matrix, starts as the network itself and can be merged", () =>
    withNetwork(family, async (network) => {
      const adapted = lora({ rank: 2, alpha: 8, targets: "all-linear" }).begin(network, AT);
      const matrices = network.parameters.filter(
        ({ name, value }) => value.rank === 2 && !/embed|\.w[tp]e\./.test(name),
      );
      const maps = matrices.filter(({ name }) => name !== "lm_head.weight");
      const adaptedMaps = [...adapted.lora!.parts.keys()].map((name) => `${name}.weight`);
      expect(adaptedMaps.sort()).toEqual(maps.map(({ name }) => name).sort());
      expect(
        apart(await featuresOf({ ...network, adaptation: adapted.adaptation }), await featuresOf(network)),
      ).toBeLessThan(2e-6); // other sums
      gaussian(adapted.parameters, 0.2, { seed: 2, step: 0 });
      const with_ = await featuresOf({ ...network, adaptation: adapted.adaptation });
      expect(apart(with_, await featuresOf(network))).toBeGreaterThan(0.05);
      mergeLora(network.parameters, adapted);
      expect(apart(await featuresOf(network), with_)).toBeLessThan(2e-5);
      adapted.dispose();
    }));

  test("can be merged into the weights, which then do the same alone", () =>
    withNetwork(family, async (network) => {
      const adapted = lora({ rank: 2, alpha: 8 }).begin(network, AT);
      gaussian(adapted.parameters, 0.2, { seed: 2, step: 0 });
      const [base, before] = [await featuresOf(network), await bitsOf(network.parameters)];
      const with_ = await featuresOf({ ...network, adaptation: adapted.adaptation });
      mergeLora(network.parameters, adapted);
      expect(apart(await featuresOf(network), with_)).toBeLessThan(1e-5);
      expect(apart(with_, base)).toBeGreaterThan(0.05);
      const after = await bitsOf(network.parameters);
      const changed = network.parameters.filter((_, i) => after[i]!.join() !== before[i]!.join());
      const merged = network.layers.flatMap(({ query, value }) => [`${query}.weight`, `${value}.weight`]);
      expect(new Set(changed.map(({ name }) => name))).toEqual(new Set(merged));
      adapted.dispose();
    }));
});

test("merging a prefix, or LoRA of another model, is refused, and nothing is changed", () =>
  withNetwork("llama", async (llama) => {
    await withNetwork("opt", async (network) => {
      const before = await bitsOf(network.parameters);
      const [prefixed, foreign] = [prefix().begin(network, AT), lora().begin(llama, AT)];
      expect(() => mergeLora(network.parameters, prefixed)).toThrow(/only LoRA can be merged into weights/);
      expect(() => mergeLora(network.parameters, foreign)).toThrow(
        /layers\.0\.self_attn\.q_proj\.weight: the adapter fits a weight of \[16,16\], the model has none/,
      );
      expect(await bitsOf(network.parameters)).toEqual(before);
      prefixed.dispose();
      foreign.dispose();
    });
  }));

const FILE = "golden/opt-tiny-lora.safetensors";

interface Golden {
  readonly lora: {
    readonly r: number;
    readonly alpha: number;
    readonly case: string;
    readonly logits_f64: number[][][];
  };
  readonly cases: readonly {
    readonly name: string;
    readonly input_ids: number[][];
    readonly attention_mask: number[][];
  }[];
}

test.skipIf(shared(FILE) === undefined)(
  `LoRA gives the golden logits, computed in float64 by another program, before and after the merge (${needs(FILE)})`,
  async () => {
    const golden: Golden = JSON.parse(readFileSync(shared("golden/opt-tiny.expected.json")!, "utf8"));
    const { r, alpha, case: which, logits_f64 } = golden.lora;
    const network = goldenNetwork("opt-tiny.safetensors", "opt-tiny.config.json");
    const adapted = lora({ rank: r, alpha }).begin(network, AT);
    const file = openSafetensors(shared(FILE)!);
    for (const { name, value } of adapted.parameters) {
      const inFile = name.replace("base_model.model.", "").replace(/\.weight$/, "");
      setValues(value, readTensor(file, inFile));
    }
    const { input_ids, attention_mask } = golden.cases.find(({ name }) => name === which)!;
    const batch = packBatch(input_ids.map((ids, i) => ids.filter((_, j) => attention_mask[i]![j] === 1)));
    const want = logits_f64.flatMap((row, i) => row.filter((_, j) => attention_mask[i]![j] === 1)).flat();
    const logits = (of: Network): Promise<number[]> =>
      takeValues(tf.tidy(() => linear(features(of, batch, [...batch.ids.keys()]), of.head.weight)));
    expect(want.length).toBeGreaterThan(1000);
    expect(apart(await logits({ ...network, adaptation: adapted.adaptation }), want)).toBeLessThan(5e-5);
    expect(apart(await logits(network), want)).toBeGreaterThan(0.1);
    mergeLora(network.parameters, adapted);
    expect(apart(await logits(network), want)).toBeLessThan(5e-5);
    adapted.dispose();
    network.dispose();
  },
);
