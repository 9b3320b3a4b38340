import { createHash } from "node:crypto";

/** The SHA-256 of bytes or text, in hexadecimal digits. */
export function sha256(content: Buffer | string): string {
  return createHash("sha256").update(content).digest("hex");
}

/** One hash for several pieces of data in their order, made of the hash of each. */
export function jointSha256(parts: readonly { readonly sha256: string }[]): string {
  return sha256(parts.map((part) => part.sha256).join());
}
