/** The fused operations in WGSL. */
import "./activation.ts";
import "./attention.ts";
import "./attentionGradient.ts";
import "./embed.ts";
import "./norm.ts";
import "./normGradient.ts";
import "./rotary.ts";
import "./linear.ts";
import "./productGradients.ts";
import "./vocabulary.ts";
