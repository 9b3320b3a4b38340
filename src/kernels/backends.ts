/** The kernels of the fused operations on the backends that have some of their own beside native's, which stand with each operation. */
import "./tensorflow/index.ts";
import "./webgpu/index.ts";
