import { createHash } from "node:crypto";
import { storage } from "../tensor/backend.ts";
import type { Parameter } from "../tensor/parameter.ts";

/**
 * The first 16 hexadecimal digits of the SHA-256 over the weights' values in float32, in order: what tells whether weights made again
 * are those of the run. Undefined where the weights lie in no memory of this process.
 */
export function hashTheta(theta: readonly Parameter[]): string | undefined {
  const { view } = storage();
  if (!view) return undefined;
  const hash = createHash("sha256");
  for (const { value } of theta) {
    const { buffer, byteOffset, byteLength } = view(value);
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return hash.digest("hex").slice(0, 16);
}
