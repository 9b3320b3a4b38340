import { defineTuner, gaussian, type Tuner } from "../../src/index.ts";

/** A tuner written from nothing but the contract: a random move of theta is kept where it lowers the loss. */
export const keptMoves: (options: { readonly size: number }) => Tuner = defineTuner("kept-moves", ({ size }) => ({
  options: { size },
  begin: (theta) => ({
    step: async (objective, { seed, step }) => {
      const here = await objective.value();
      gaussian(theta, size, { seed, step });
      const there = await objective.value();
      const isKept = there < here;
      if (!isKept) gaussian(theta, -size, { seed, step });
      return { lr: isKept ? size : 0, loss: Math.min(here, there) };
    },
    dispose: () => {},
  }),
}));
