/** The fused operations in WGSL. */
export {};
