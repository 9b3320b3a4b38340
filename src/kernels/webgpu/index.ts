/** The fused operations in WGSL. */
import "./activation.ts";
import "./attention.ts";
import "./embed.ts";
import "./norm.ts";
import "./rotary.ts";
