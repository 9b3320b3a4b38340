/**
 * Node's flags for a process that runs a model. V8 lets its heap grow to several times what is in use before it collects; steps make much
 * short-lived garbage, views of reused memory among it, which would then stand beside weights and activations in the peak.
 */
export const LEAN_HEAP: readonly string[] = ["--heap-growing-percent=20", "--max-semi-space-size=4"];
