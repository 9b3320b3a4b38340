import { describe, test } from "vitest";
import { linear } from "../../../src/kernels/linear.ts";
import { packBatch } from "../../../src/nn/batch.ts";
import { features } from "../../../src/nn/run.ts";
import { CONFIGS, tinyAdaptation, tinyNetwork } from "../../nn/networks.ts";
import { expectSame, isHere, where } from "./compare.ts";

const batch = packBatch([[2, 6, 7, 8], [2], [3, 9, 10, 11, 12, 4]]);

describe.skipIf(!isHere)(`networks in WGSL${where}`, () => {
  test.each(Object.keys(CONFIGS))("%s gives the other backends' logits, after a prefix too", async (name) => {
    await expectSame(() => {
      const plain = tinyNetwork(CONFIGS[name]!);
      return [plain, tinyAdaptation(plain)].map(({ network }) => {
        const { weight, bias } = network.head;
        return linear(features(network, batch, [...batch.ids.keys()]), weight, bias ? { bias } : {});
      });
    });
  });
});
