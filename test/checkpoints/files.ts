import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** Returns a new folder that is removed when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "mezo-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Returns the bytes of a safetensors file: the header's length in 8 bytes, the header, the data. */
export function safetensorsBytes(header: unknown, data: Uint8Array, headerLength?: number): Buffer {
  const given = typeof header === "string" || Buffer.isBuffer(header);
  const json = Buffer.from(given ? (header as string) : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeUInt32LE(headerLength ?? json.length);
  return Buffer.concat([length, json, data]);
}

/** Writes a file into a new temporary folder and returns its path. */
export function temporaryFile(content: Uint8Array | string, name = "model.safetensors"): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, content);
  return path;
}

/** Returns the message of the error that `act` throws. */
export function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("nothing was thrown");
}
