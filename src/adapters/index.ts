// Every adapter; adding one adds a line.
export { type ClassifierOptions, classifier } from "./classifier.ts";
export { headTuning } from "./head.ts";
export { type LoraOptions, lora } from "./lora.ts";
export { type PrefixInit, type PrefixOptions, prefix } from "./prefix.ts";
