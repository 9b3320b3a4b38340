import { defineTuner } from "./define.ts";
import { finiteLoss } from "./mezo.ts";
import type { Tuner } from "./tuner.ts";
import { describeZeroth, type ZerothOptions, zerothOptions, zerothOrder } from "./zeroth.ts";

const NAME = "MeZO-one-point";

/**
 * MeZO with the one-point estimate with residual feedback (Table 11): one forward pass a step, and the estimate is
 * (L(theta + eps z) of this step − that of the step before) / eps. The first step has none before, and only looks.
 */
export const onePoint: (options: ZerothOptions) => Tuner = defineTuner(NAME, (options) => {
  const settings = zerothOptions(NAME, options);
  const { eps, weightDecay } = settings;
  const begin = zerothOrder(settings, (theta, along) => {
    let before: number | undefined;
    return async ({ objective, z, lr }) => {
      const line = along(theta, { value: () => objective.value() }, z); // one side alone: a pair would be a second pass
      line.perturb(+eps);
      const loss = await finiteLoss(line);
      line.perturb(-eps);
      const projectedGrad = before === undefined ? 0 : (loss - before) / eps;
      before = loss;
      line.perturb(-lr * projectedGrad);
      line.settle(lr * weightDecay);
      return { loss, lossPlus: loss, projectedGrad };
    };
  });
  return { options: describeZeroth(settings), begin };
});
