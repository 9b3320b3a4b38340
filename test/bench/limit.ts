import type { Products } from "../../src/tensor/products.ts";
import type { Ceilings } from "./ceilings.ts";
import type { CaseResult } from "./measure.ts";
import { benchMethod } from "./methods.ts";
import type { CaseRequest } from "./request.ts";

/** The seconds that the parts of a MeZO step take at the ceilings: what no step can be faster than. */
export interface Limit {
  readonly products: number;
  readonly noise: number;
  readonly attention: number;
}

/** Products that stand for one: "difference" has four for both sides of a moving weight in place of two, but no more for a frozen one. */
function countTerms(products: Products, isFrozen: boolean): number {
  if (products === "difference") return isFrozen ? 1 : 2;
  return products === "bf16x3" ? 3 : 1;
}

/** Operations a second at best with these products: float32's are the faster of ONNX Runtime's and the kit's own. */
export function productCeiling({ gemm, float32 = 0, bf16 }: Ceilings, products: Products): number {
  return products === "float32" || bf16 === undefined ? Math.max(gemm, float32) : bf16;
}

/** The limit of a case whose step is MeZO's; undefined for others, which do more than passes and noise. */
export function limitOf(
  { method, noise }: Pick<CaseRequest, "method" | "noise">,
  { flops, attentionFlops, trained, products }: Pick<CaseResult, "flops" | "attentionFlops" | "trained" | "products">,
  ceilings: Ceilings,
): Limit | undefined {
  const { noises, adapter } = benchMethod(method);
  if (noises === undefined) return undefined;
  const rate = productCeiling(ceilings, products) / countTerms(products, adapter !== undefined);
  return {
    products: (flops - attentionFlops) / rate,
    noise: (noises * trained) / ceilings[noise],
    attention: attentionFlops / rate,
  };
}

/** Seconds of all parts together. */
export const limitSeconds = ({ products, noise, attention }: Limit): number => products + noise + attention;
