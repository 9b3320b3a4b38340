import { KitError } from "../error.ts";
import { type Level, processorLevel } from "./x86/library.ts";

/**
 * How the `native` backend forms the matrix products of a pass. "float32" multiplies float32 numbers. "bf16" rounds both operands to
 * bfloat16. "bf16x3" keeps what that rounding left of each in a second bfloat16 number, and adds three products. "difference" carries the
 * mean of both sides of theta and half their difference in bfloat16, so that the difference of the two losses is not lost in rounding, and of
 * the mean of x in a second number what rounding left. All add in float32.
 */
export const PRODUCTS = ["float32", "bf16x3", "bf16", "difference"] as const;

/** Ways to form matrix products, by name. */
export type Products = (typeof PRODUCTS)[number];

/**
 * The default at each level: the fastest there whose projected gradients are within 2 % of float64's and never have the other sign
 * (`npm run bench:accuracy`). "difference" is faster on amx and within 1 %, but turned the sign of one that was nearly 0.
 */
const DEFAULTS: Readonly<Record<Level, Products>> = {
  none: "float32",
  avx2: "float32",
  avx512: "float32",
  avx512bf16: "float32",
  amx: "bf16x3",
  "amx-emulated": "bf16x3",
};

/** How products were formed, on any backend: as `Products`, or in float16, which TensorFlow does with such weights on a GPU. */
export type FormedProducts = Products | "float16";

let chosen: Products | undefined;

/** Chooses how products are formed; undefined is this processor's default. Throws a KitError for a way that is unknown or has no kernels here. */
export function setProducts(products: Products | undefined): void {
  if (products !== undefined) checkProducts(products);
  chosen = products;
}

/** Whether a way was chosen, and not left to the processor. */
export const areProductsChosen = (): boolean => chosen !== undefined;

/** How a product at both sides of theta is formed. */
export function twoSidedProducts(): Products {
  return chosen ?? DEFAULTS[processorLevel()];
}

/** How a product at one place is formed: it has no difference to carry, so that "difference" asks for float32's accuracy. */
export function oneSidedProducts(): Products {
  const products = twoSidedProducts();
  if (products !== "difference") return products;
  return processorLevel().startsWith("amx") ? "bf16x3" : "float32";
}

function checkProducts(products: Products): void {
  if (!PRODUCTS.includes(products))
    throw new KitError(
      `Products "${products}" were asked for, but none have that name: choose one of ${PRODUCTS.join(", ")}.`,
    );
  if (products !== "float32" && processorLevel() === "none")
    throw new KitError(
      `${products} products were asked for, but the kit's own kernels, which form them, do not run here (Linux on x86-64 with AVX2 or later): use float32.`,
    );
}
