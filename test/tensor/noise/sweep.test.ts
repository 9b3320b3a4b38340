import { afterEach, expect, test, vi } from "vitest";
import { COMPILED, isHere } from "../x86/levels.ts";

const LIBRARY = "../../../src/tensor/x86/moves.ts";
const PIECES = "../../../src/tensor/noise/pieces.ts";

afterEach(() => {
  vi.doUnmock(LIBRARY);
  vi.doUnmock(PIECES);
  vi.unstubAllEnvs();
  vi.resetModules();
});

/** Which of the two ways a sweep takes in a process where MEZO_CPU has a value. */
async function wayAt(level: string): Promise<string[]> {
  const taken: string[] = [];
  vi.resetModules();
  vi.stubEnv("MEZO_CPU", level);
  vi.doMock(LIBRARY, () => ({ moveInLibrary: () => taken.push("library") }));
  vi.doMock(PIECES, () => ({ moveInPieces: () => taken.push("pieces") }));
  const { moveMany } = await import("../../../src/tensor/noise/sweep.ts");
  moveMany([]);
  return taken;
}

test("a sweep is made in pieces where the kit's own library may not run", async () => {
  expect(await wayAt("none")).toEqual(["pieces"]);
});

test.skipIf(!COMPILED.some(isHere))(
  "a sweep is the library's where it runs; needs x86-64 Linux and a processor with AVX2",
  async () => {
    expect(await wayAt("")).toEqual(["library"]);
  },
);
