import { afterEach, describe, expect, test, vi } from "vitest";
import type { Products } from "../../src/tensor/products.ts";
import type { Level } from "../../src/tensor/x86/library.ts";

const LIBRARY = "../../src/tensor/x86/library.ts";

afterEach(() => {
  vi.doUnmock(LIBRARY);
  vi.resetModules();
});

/** The module as it is in a process whose processor has that level. */
async function onProcessor(level: Level): Promise<typeof import("../../src/tensor/products.ts")> {
  vi.resetModules();
  vi.doMock(LIBRARY, () => ({ processorLevel: () => level }));
  return import("../../src/tensor/products.ts");
}

describe("products that nobody has chosen", () => {
  test("are float32 where the kit's own kernels do not run", async () => {
    const { twoSidedProducts, oneSidedProducts } = await onProcessor("none");
    expect([twoSidedProducts(), oneSidedProducts()]).toEqual(["float32", "float32"]);
  });

  test("are three of bfloat16 on AMX", async () => {
    const { twoSidedProducts, oneSidedProducts } = await onProcessor("amx");
    expect([twoSidedProducts(), oneSidedProducts()]).toEqual(["bf16x3", "bf16x3"]);
  });
});

describe("products that were chosen", () => {
  test("are used for both sides, and until the choice is taken back", async () => {
    const { setProducts, twoSidedProducts, oneSidedProducts } = await onProcessor("avx2");
    const found: [Products, Products][] = [];
    for (const chosen of ["bf16", "bf16x3", "difference", undefined] as const) {
      setProducts(chosen);
      found.push([twoSidedProducts(), oneSidedProducts()]);
    }
    expect(found).toEqual([
      ["bf16", "bf16"],
      ["bf16x3", "bf16x3"],
      ["difference", "float32"],
      ["float32", "float32"],
    ]);
  });

  test("by difference are of one side at float32's accuracy, which AMX has by three of bfloat16", async () => {
    const { setProducts, twoSidedProducts, oneSidedProducts } = await onProcessor("amx");
    setProducts("difference");
    expect([twoSidedProducts(), oneSidedProducts()]).toEqual(["difference", "bf16x3"]);
  });

  test("are refused in a sentence where nobody knows them, or where nothing forms them", async () => {
    const { setProducts } = await onProcessor("none");
    setProducts("float32");
    expect(() => setProducts("bf16")).toThrow(/bf16 products were asked for, but the kit's own kernels/);
    expect(() => setProducts("int8" as Products)).toThrow(/Products "int8" were asked for.*float32, bf16x3/);
  });
});
