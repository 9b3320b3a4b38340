/** The fused operations by TensorFlow's own operations. */
import "./activation.ts";
import "./attention.ts";
import "./embed.ts";
import "./feedForward.ts";
import "./linear.ts";
import "./logits.ts";
import "./norm.ts";
import "./rotary.ts";
