/** What may follow a product, element by element, in the order of api.h's `activation`. */
export const ACTIVATIONS = ["none", "relu", "gelu", "silu", "gelu_new"] as const;

/** An activation by its name (kernels/elementwise.ts). */
export type Activation = Exclude<(typeof ACTIVATIONS)[number], "none">;
