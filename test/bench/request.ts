import type { WeightFormat } from "../../src/models/weights.ts";
import type { Products } from "../../src/tensor/products.ts";

/** The batch, the loss and the machine that a measurement is made with. */
export interface BenchRequest {
  readonly rows: number;
  /** Tokens a row; of the answer loss the last one is the target. */
  readonly tokens: number;
  readonly steps: number;
  readonly threads: number;
  readonly noise: "gaussian" | "rademacher";
  /** "answer": the language-model loss on each row's last token. "candidates": cross entropy over two one-token candidates a row. */
  readonly loss: "answer" | "candidates";
  /** What matrices are kept in. */
  readonly weights: WeightFormat;
  /** How products are formed; the processor's default where it is left out. */
  readonly products?: Products | undefined;
}

/** One case of the table: a model and a method by their names in `benchModels` and `benchMethods`. */
export interface CaseRequest extends BenchRequest {
  readonly model: string;
  readonly method: string;
}

/** How a case is called in progress and messages. */
export function caseLabel({ model, method }: Pick<CaseRequest, "model" | "method">): string {
  return `${model} ${method}`;
}
