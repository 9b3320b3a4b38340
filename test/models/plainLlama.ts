import type { Config } from "../../src/models/config.ts";

type Rows = number[][];

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);

interface Sizes {
  readonly heads: number;
  readonly keyHeads: number;
  readonly width: number;
  readonly epsilon: number;
}

/** A Llama forward pass in double precision, token by token and element by element: logits [tokens, vocabulary]. */
export function plainLlama(config: Config, weights: ReadonlyMap<string, number[]>, ids: readonly number[]): Rows {
  const c = config as Record<string, number>;
  const heads = c.num_attention_heads!;
  const sizes: Sizes = {
    heads,
    keyHeads: c.num_key_value_heads ?? heads,
    width: c.head_dim ?? c.hidden_size! / heads,
    epsilon: c.rms_norm_eps ?? 1e-6,
  };
  const vector = (name: string): number[] => weights.get(name)!;
  const rows = (name: string, width: number): Rows => {
    const flat = vector(name);
    return Array.from({ length: flat.length / width }, (_, i) => flat.slice(i * width, (i + 1) * width));
  };
  const dense = (x: number[], name: string): number[] => {
    const bias = weights.get(`${name}.bias`);
    return rows(`${name}.weight`, x.length).map((row, i) => dot(row, x) + (bias?.[i] ?? 0));
  };
  const norm = (x: number[], name: string): number[] => {
    const scale = 1 / Math.sqrt(dot(x, x) / x.length + sizes.epsilon);
    return x.map((v, i) => v * scale * vector(name)[i]!);
  };
  let xs = ids.map((id) => rows("model.embed_tokens.weight", c.hidden_size!)[id]!);
  for (let l = 0; l < c.num_hidden_layers!; l++) {
    const at = `model.layers.${l}.`;
    const inner = xs.map((x) => norm(x, `${at}input_layernorm.weight`));
    const of = (name: string): Rows => inner.map((x) => dense(x, `${at}self_attn.${name}`));
    const [q, k] = ["q_proj", "k_proj"].map((name) => of(name).map((x, i) => turned(x, i, sizes.width, config)));
    const mixed = attended(q!, k!, of("v_proj"), sizes);
    const middle = mixed.map((x, t) => dense(x, `${at}self_attn.o_proj`).map((v, i) => v + xs[t]![i]!));
    xs = middle.map((x) => {
      const seen = norm(x, `${at}post_attention_layernorm.weight`);
      const up = dense(seen, `${at}mlp.up_proj`);
      const gated = dense(seen, `${at}mlp.gate_proj`).map((v, i) => (v / (1 + Math.exp(-v))) * up[i]!);
      return dense(gated, `${at}mlp.down_proj`).map((v, i) => v + x[i]!);
    });
  }
  const head = config.tie_word_embeddings ? "model.embed_tokens" : "lm_head";
  return xs.map((x) => dense(norm(x, "model.norm.weight"), head));
}

/** Every head's pairs (i, i + width / 2) as complex numbers, turned by position times frequency i. */
function turned(x: readonly number[], position: number, width: number, config: Config): number[] {
  const y = [...x];
  for (let head = 0; head < x.length; head += width)
    for (let i = 0; i < width / 2; i++) {
      const angle = position * frequency(i, width, config);
      const [a, b] = [x[head + i]!, x[head + i + width / 2]!];
      y[head + i] = a * Math.cos(angle) - b * Math.sin(angle);
      y[head + i + width / 2] = a * Math.sin(angle) + b * Math.cos(angle);
    }
  return y;
}

/** Radians per position; scaled by wavelength as Llama 3.1's paper and code describe it. */
function frequency(i: number, width: number, config: Config): number {
  const plain = 1 / ((config.rope_theta as number) ?? 10_000) ** ((2 * i) / width);
  const scaling = config.rope_scaling as Record<string, number> | undefined;
  if (!scaling) return plain;
  const { factor: f, low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: length } = scaling;
  const wavelength = (2 * Math.PI) / plain;
  if (wavelength < length! / high!) return plain;
  if (wavelength > length! / low!) return plain / f!;
  const smooth = (length! / wavelength - low!) / (high! - low!);
  return ((1 - smooth) * plain) / f! + smooth * plain;
}

function attended(q: Rows, k: Rows, v: Rows, { heads, keyHeads, width }: Sizes): Rows {
  const part = (x: readonly number[], head: number): number[] => x.slice(head * width, (head + 1) * width);
  return q.map((query, t) =>
    Array.from({ length: heads }, (_, head) => {
      const shared = Math.floor(head / (heads / keyHeads));
      const scores = k.slice(0, t + 1).map((key) => dot(part(query, head), part(key, shared)) / Math.sqrt(width));
      const weights = scores.map(Math.exp);
      const total = weights.reduce((a, b) => a + b, 0);
      return Array.from({ length: width }, (_, i) =>
        weights.reduce((sum, w, s) => sum + (w / total) * part(v[s]!, shared)[i]!, 0),
      );
    }).flat(),
  );
}
