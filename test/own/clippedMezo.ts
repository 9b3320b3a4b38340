import {
  defineTuner,
  describeZeroth,
  estimate,
  summarizeEstimate,
  type Tuner,
  type ZerothOptions,
  zerothOptions,
  zerothOrder,
} from "../../src/index.ts";

/** Settings of MeZO with clipped estimates. */
export interface ClippedMezoOptions extends ZerothOptions {
  /** The largest estimate that is followed. */
  readonly most?: number;
}

/** A tuner written by a user: MeZO whose estimates are cut at `most`, so that no batch moves theta far. */
export const clippedMezo: (options: ClippedMezoOptions) => Tuner = defineTuner("clipped-MeZO", (options) => {
  const settings = zerothOptions("clipped-MeZO", options, ["most"]);
  const { eps, weightDecay } = settings;
  const { most = 10 } = options;
  const begin = zerothOrder(settings, (theta, along) => async ({ objective, z, lr }) => {
    const line = along(theta, objective, z);
    const found = await estimate(line, eps);
    line.perturb(-lr * Math.max(-most, Math.min(most, found.projectedGrad)));
    line.settle(lr * weightDecay);
    return summarizeEstimate(found);
  });
  return { options: { ...describeZeroth(settings), most }, begin };
});
