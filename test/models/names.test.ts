import { describe, expect, test } from "vitest";
import { findFamily } from "../../src/models/family.ts";
import { CONFIGS, free, tinyNetwork } from "../nn/networks.ts";

describe.each(Object.entries(CONFIGS))("the network of a config (%s)", (_name, config) => {
  const { network, parameters } = tinyNetwork(config);
  const shapes = findFamily("tiny", config).shapes(config);
  free(parameters);

  test("names every layer's own weights, each once, its query and value among them", () => {
    const own = network.layers.flatMap((layer) => layer.parameters);
    expect(new Set(own).size).toBe(own.length);
    const numbered = [...shapes.keys()].filter((name) => /\.\d+\./.test(name));
    expect(new Set(own)).toEqual(new Set(numbered));
    for (const { query, value, parameters: names } of network.layers)
      expect(names).toEqual(expect.arrayContaining([`${query}.weight`, `${value}.weight`]));
  });

  test("names as embeddings what is looked up, and as gains all vectors that are no bias", () => {
    expect(new Set(network.embeddings)).toEqual(
      new Set([...shapes.keys()].filter((name) => /embed|\.w[tp]e\./.test(name))),
    );
    const vectors = [...shapes].filter(([name, shape]) => shape.length === 1 && !name.endsWith("bias"));
    expect(new Set(network.gains)).toEqual(new Set(vectors.map(([name]) => name)));
  });
});
