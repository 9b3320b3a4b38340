import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Reader, runCases, sampleFolder } from "./fuzz.ts";

const CASES = 2000;

/** The tests of readers: their samples, and damaged ones. `npm run fuzz` runs more of these. */
export function testReaders(readers: readonly Reader[]): void {
  describe.each(readers.map((reader) => ({ ...reader, reader })))("the reader of $name", ({ reader }) => {
    test("takes its samples as they are", async () => {
      const folder = sampleFolder(reader);
      for (const { name } of reader.samples) await reader.read(join(folder, name));
      rmSync(folder, { recursive: true });
    });

    test(`gives a value or one sentence for each of ${CASES} damaged files`, async () => {
      const { read, refused, faults } = await runCases(reader, { from: 0, to: CASES });
      expect(faults.slice(0, 20)).toEqual([]);
      expect(read + refused).toBe(CASES);
      expect(refused).toBeGreaterThan(0);
    });
  });
}
