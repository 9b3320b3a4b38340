import { bytesOf, READERS, type ReadBytes, type StoredTensor, withFile } from "../safetensors.ts";
import { BLOCK_TYPES, type BlockType } from "./blocks.ts";
import type { GgufTensor } from "./header.ts";

/** A tensor of a GGUF file as one of a checkpoint, read in pieces. */
export function storedTensor(path: string, tensor: GgufTensor): StoredTensor {
  const { dtype, shape, byteOffset } = tensor;
  const [plain, blocks] = [READERS[dtype], BLOCK_TYPES[dtype]];
  const read: StoredTensor["read"] = (into, from = 0) =>
    withFile(path, (fd) => {
      const bytes = bytesOf(fd, path);
      if (plain) plain(bytes, { byteOffset, from }, into);
      else readBlocks(blocks!, (at, packed) => bytes(byteOffset + at, packed), into, from);
    });
  return { path, dtype, shape, read };
}

const CHUNK_BYTES = 1 << 20;

/** Fills `into` from element `from` of a tensor of blocks; of a block at either end, what belongs there. */
function readBlocks(type: BlockType, fill: ReadBytes, into: Float32Array, from: number): void {
  const { elements, bytes } = type;
  const end = Math.ceil((from + into.length) / elements);
  const most = Math.floor(CHUNK_BYTES / bytes);
  const packed = new Uint8Array(Math.min(most, end - Math.floor(from / elements)) * bytes);
  for (let first = Math.floor(from / elements); first < end; first += most) {
    const part = packed.subarray(0, Math.min(most, end - first) * bytes);
    fill(first * bytes, part);
    unpackInto(type, part, into, first * elements - from);
  }
}

/** Unpacks blocks into `into`, from its element `to` on, which is outside where the first block begins before or the last ends behind it. */
function unpackInto({ elements, bytes, unpack }: BlockType, packed: Uint8Array, into: Float32Array, to: number): void {
  const cut = new Float32Array(elements);
  for (let at = 0, place = to; at < packed.length; at += bytes, place += elements) {
    if (place >= 0 && place + elements <= into.length) unpack(packed, at, into, place);
    else {
      unpack(packed, at, cut, 0);
      into.set(cut.subarray(Math.max(0, -place), into.length - place), Math.max(0, place));
    }
  }
}

/**
 * A tensor whose rows lie in another order than they are read in: `rowOf` gives the place of each. For what converters permute, such as
 * Llama's queries and keys.
 */
export function reorderRows(stored: StoredTensor, rowOf: (row: number) => number): StoredTensor {
  const width = stored.shape.slice(1).reduce((product, length) => product * length, 1);
  const read: StoredTensor["read"] = (into, from = 0) => {
    for (let done = 0; done < into.length; ) {
      const [row, column] = [Math.floor((from + done) / width), (from + done) % width];
      const part = into.subarray(done, done + width - column);
      stored.read(part, rowOf(row) * width + column);
      done += part.length;
    }
  };
  return { ...stored, read };
}
