/** The sizes that decide how much work a decoder's forward pass is. */
export interface ModelSizes {
  readonly layers: number;
  readonly width: number;
  readonly feedForward: number;
  readonly vocabulary: number;
  /** Width of keys and of values, and of the embedding, where not that of the layers. */
  readonly keyWidth?: number;
  readonly wordWidth?: number;
  /** Whether a layer's feed-forward part has a gate beside its two matrices. */
  readonly isGated?: boolean;
}

/** What is run: `positions` tokens of each row, the last of which is read. */
export interface ForwardWork {
  readonly rows: number;
  readonly positions: number;
  /** Rows of the output matrix that are needed: the vocabulary, or the candidates' alone. */
  readonly outputs: number;
  /** Rank of LoRA on the query and value projections, 0 without. */
  readonly rank: number;
  /** Keys and values that an adapter puts before every row, 0 without. */
  readonly prefix: number;
}

/**
 * Floating-point operations of the matrix products that a forward pass cannot do without, two for each multiplication with its
 * addition: attention to the keys that are seen (the causal half), of the last layer all tokens' keys and values, but everything else
 * only of the token that is read, and the logits that the loss needs.
 */
export function forwardFlops(model: ModelSizes, work: ForwardWork): number {
  const { rows, positions: n, outputs } = work;
  const full = layerFlops(model, work, { tokens: n, queries: n });
  const last = layerFlops(model, work, { tokens: n, queries: 1 });
  const projections = rows * ((model.layers - 1) * full + last + wordFlops(model, n, outputs));
  return projections + attentionFlops(model, work);
}

/** Those of attention's two products with the keys that are seen. */
export function attentionFlops({ layers, width }: ModelSizes, { rows, positions: n, prefix }: ForwardWork): number {
  const [full, last] = [(n * (n + 1)) / 2 + n * prefix, n + prefix];
  return rows * 2 * 2 * width * ((layers - 1) * full + last);
}

/** Of one row: logits, and the projections of an embedding that is not as wide as the layers. */
function wordFlops({ width, wordWidth = width }: ModelSizes, tokens: number, outputs: number): number {
  const projections = wordWidth === width ? 0 : (tokens + 1) * width * wordWidth;
  return 2 * (projections + wordWidth * outputs);
}

/**
 * Operations that a second forward pass need not repeat where only an adapter differs: the first layer's own queries, keys and values,
 * which see the embeddings alone. For models of several layers.
 */
export function sharedFlops({ width: d, keyWidth: k = d }: ModelSizes, { rows, positions }: ForwardWork): number {
  return rows * positions * 2 * d * (d + 2 * k);
}

/** Of one row in one layer: tokens that have keys and values, and tokens that ask. */
interface LayerWork {
  readonly tokens: number;
  readonly queries: number;
}

function layerFlops(
  { width: d, feedForward: f, keyWidth: k = d, isGated = false }: ModelSizes,
  { rank }: ForwardWork,
  { tokens, queries }: LayerWork,
): number {
  const keysAndValues = tokens * 2 * d * k;
  const queriesAndOutputs = queries * 2 * d * d;
  const feedForward = queries * (isGated ? 3 : 2) * d * f;
  const lora = (tokens * (d + k) + queries * 2 * d) * rank;
  return 2 * (keysAndValues + queriesAndOutputs + feedForward + lora);
}
