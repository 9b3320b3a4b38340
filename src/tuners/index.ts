// Every tuner of the paper's tables; adding one adds a line. Those beyond the paper's main comparison are in lab/.
export { type AdamOptions, adam, adamw, type MezoAdamOptions, mezoAdam } from "./adam.ts";
export { type ConMezoOptions, conMezo } from "./cone.ts";
export { type NSpsaOptions, nSpsa, onePoint } from "./estimates.ts";
export { evolutionStrategies, fzoo, type OneSidedOptions } from "./fzoo.ts";
export { expectationModified, type ModifiedOptions, varianceModified } from "./layers.ts";
export { type LozoMomentumOptions, type LozoOptions, lozo, lozoMomentum } from "./lozo.ts";
export { type MezoOptions, mezo } from "./mezo.ts";
export { type MezoMomentumOptions, mezoMomentum } from "./rules.ts";
export { type SgdOptions, sgd } from "./sgd.ts";
export { sparseMezo } from "./sparse.ts";
