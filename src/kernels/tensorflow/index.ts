/** The fused operations by TensorFlow's own operations. */
export {};
