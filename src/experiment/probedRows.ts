import { KitError } from "../error.ts";
import type { LanguageModel } from "../models/model.ts";
import { rewrite } from "../tensor/assign.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { ProbedRows } from "./run.ts";

/** Rows for the output matrix, one an answer in the candidates' order, the last number of each its bias where the model has one. */
export interface ProbedHead {
  /** Token ids. */
  readonly answers: readonly number[];
  readonly rows: readonly Float64Array[];
  /** The inverse strength of the penalty that cross-validation chose. */
  readonly C: number;
}

/** The rows as a run's header holds them. */
export function recordRows({ head, parameters }: LanguageModel, { answers, rows }: ProbedHead): ProbedRows {
  const nameOf = (value: unknown): string | undefined => parameters.find((one) => one.value === value)?.name;
  const bias = head.bias && nameOf(head.bias);
  const values = new Float32Array(rows.flatMap((row) => [...row]));
  return {
    weight: nameOf(head.weight)!,
    ...(bias !== undefined && { bias }),
    answers,
    rows: Buffer.from(values.buffer).toString("base64"),
  };
}

/**
 * Puts a probe's rows into the output matrix, in place; of a model whose matrix is its embedding too, they become the answers' embeddings.
 * Throws a KitError where theta is not all of the model's weights, or not of its size.
 */
export async function placeRows(
  theta: readonly Parameter[],
  { weight, bias, answers, rows }: ProbedRows,
): Promise<void> {
  const named = (name: string | undefined): Parameter | undefined => theta.find((one) => one.name === name);
  const bytes = Uint8Array.from(Buffer.from(rows, "base64"));
  const [matrix, offset] = [named(weight), named(bias)];
  const [size = 0, width = 0] = matrix?.value.shape ?? [];
  const stride = width + (bias === undefined ? 0 : 1);
  const fits = bytes.length === 4 * answers.length * stride && answers.every((id) => id < size);
  if (!matrix || (bias !== undefined && !offset) || !fits)
    throw new KitError(
      `A run was to begin from a probe's rows of ${weight}, but the weights that it tunes have none for them: tune all weights of the model that was probed, without an adapter.`,
    );
  const values = new Float32Array(bytes.buffer);
  await rewrite(matrix, (into) => {
    for (const [i, id] of answers.entries()) into.set(values.subarray(i * stride, i * stride + width), id * width);
  });
  if (offset)
    await rewrite(offset, (into) => {
      for (const [i, id] of answers.entries()) into[id] = values[i * stride + width]!;
    });
}
