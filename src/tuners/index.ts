// Every tuner of the paper's tables; adding one adds a line. Those beyond the paper's main comparison are in lab/.
export { type AdamOptions, adam, adamw, type MezoAdamOptions, mezoAdam } from "./adam.ts";
export { type MezoOptions, mezo } from "./mezo.ts";
export { expectationModified, type ModifiedOptions, varianceModified } from "./modified.ts";
export { type MezoMomentumOptions, mezoMomentum } from "./momentum.ts";
export { type NSpsaOptions, nSpsa } from "./nSpsa.ts";
export { onePoint } from "./onePoint.ts";
export { type SgdOptions, sgd } from "./sgd.ts";
