import { type Makers, makePart, partsOf, patternOf } from "./part.ts";

/** Throws a KitError unless tokenizer.json's `decoder`, which makes texts of tokens, is one that the library knows. */
export function checkDecoder(part: unknown): void {
  if (part !== null) makePart(DECODERS, part, "a decoder");
}

const known = (): void => {};

const DECODERS: Makers<void> = {
  Sequence: ({ decoders }, at) => void partsOf(DECODERS, decoders, at),
  Replace: (part, at) => void patternOf(part, at),
  ...{ ByteLevel: known, ByteFallback: known, Metaspace: known, Fuse: known, Strip: known },
  ...{ WordPiece: known, BPEDecoder: known, CTC: known },
};
