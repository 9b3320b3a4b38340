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
 * A tensor whose rows lie in another order than they are read in, group by group of `height`: `placeOf` gives the place of a group's row in
 * it. For what converters permute, such as the heads of Llama's queries and keys. A group is read whole.
 */
export function reorderRows(stored: StoredTensor, height: number, placeOf: (row: number) => number): StoredTensor {
  const width = stored.shape.slice(1).reduce((product, length) => product * length, 1);
  const read: StoredTensor["read"] = (into, from = 0) => {
    const group = new Float32Array(height * width);
    for (let done = 0, row = Math.floor(from / width); done < into.length; row++) {
      if (done === 0 || row % height === 0) stored.read(group, (row - (row % height)) * width);
      const [column, place] = [(from + done) % width, placeOf(row % height)];
      const part = group.subarray(place * width + column, (place + 1) * width);
      into.set(part.subarray(0, into.length - done), done);
      done += part.length;
    }
  };
  return { ...stored, read };
}
