import { expect, test } from "vitest";
import { hashFiles } from "../../src/checkpoints/folder.ts";
import { temporaryFile } from "./files.ts";

test("the hash of a file is the start of its SHA-256", () => {
  expect(hashFiles([temporaryFile("abc")])).toBe("ba7816bf8f01cfea"); // FIPS 180-2, appendix B.1
});

test("several files hash as their contents one after the other, longer than a chunk too", () => {
  expect(hashFiles([temporaryFile("a"), temporaryFile("bc")])).toBe("ba7816bf8f01cfea");
  const million = Buffer.alloc(1e6, "a");
  expect(hashFiles([temporaryFile(million)])).toBe("cdc76e5c9914fb92"); // FIPS 180-2, appendix B.3
  const long = temporaryFile(Buffer.alloc(5e6, "a"));
  expect(hashFiles([long])).toBe(hashFiles(Array.from({ length: 5 }, () => temporaryFile(million))));
});

test("a missing file is refused by name", () => {
  expect(() => hashFiles(["no/such/file"])).toThrow(/Hashing no\/such\/file: ENOENT/);
});
