import * as tf from "@tensorflow/tfjs-core";
import type { Config } from "../../src/models/config.ts";
import type { ModelFamily } from "../../src/models/family.ts";
import type { LoadedNetwork } from "../../src/models/network.ts";
import { drawUntrained } from "../../src/models/save.ts";
import { halfKind, type WeightFormat } from "../../src/models/weights.ts";
import { storage } from "../../src/tensor/backend.ts";
import type { Parameter } from "../../src/tensor/parameter.ts";

/** A network whose weights were never trained. Matrices in 16 bits are drawn where they are kept: no weight is ever whole in float32. */
export function randomNetwork(family: ModelFamily, config: Config, weights: WeightFormat): LoadedNetwork {
  const parameters = [...family.shapes(config)].map(([name, shape]): Parameter => ({ name, ...zeros(shape, weights) }));
  const byName = new Map(parameters.map(({ name, value }) => [name, value]));
  const network = family.build(config, (name) => byName.get(name)!);
  const restore = (): void => drawUntrained({ parameters, ...network }, 7);
  restore();
  return {
    ...{ parameters, restore },
    ...family.limits(config),
    ...network,
    dispose: () => tf.dispose(parameters.map(({ value }) => value)),
  };
}

/** As `weightMaker` keeps weights: matrices in the format, the rest in float32. */
function zeros(shape: readonly number[], weights: WeightFormat): Omit<Parameter, "name"> {
  const kind = halfKind({ weights });
  if (!kind || shape.length < 2) return { value: storage().weight(shape, () => {}) };
  return { value: storage().weight(shape, (into) => into.fill(0), kind), bytes: 2 };
}
