import * as tf from "@tensorflow/tfjs-core";
import seedrandom from "seedrandom";
import { type Adapter, defineAdapter, embed } from "../../src/index.ts";

/** An adapter written by a user: a trained vector beside each layer's value projection. */
export const valueShift: (options?: { readonly size?: number }) => Adapter = defineAdapter(
  "value shift",
  ({ size = 0.01 }: { readonly size?: number }) => ({
    options: { size },
    begin: ({ layers, parameters }, { seed }) => {
      const random = seedrandom.alea(`${seed} value shift`);
      const shifts = new Map(
        layers.map(({ value: projection }) => {
          const [out] = parameters.find(({ name }) => name === `${projection}.weight`)!.value.shape;
          return [
            projection,
            tf.tensor2d(
              Array.from({ length: out! }, () => size * random()),
              [1, out!],
            ),
          ] as const;
        }),
      );
      return {
        parameters: [...shifts].map(([projection, value]) => ({ name: `${projection}.offset`, value })),
        adaptation: {
          correction: (projection) => {
            const shift = shifts.get(projection);
            return shift && ((x) => embed(tf.tensor1d(new Int32Array(x.shape[0]!), "int32"), shift));
          },
        },
        dispose: () => tf.dispose([...shifts.values()]),
      };
    },
  }),
);
