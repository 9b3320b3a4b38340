import { halfValues } from "../safetensors.ts";

/** How a type of GGUF packs numbers: so many elements into so many bytes, and how a block becomes float32. */
export interface BlockType {
  readonly elements: number;
  readonly bytes: number;
  /** Writes the values of the block that begins at byte `at` of `packed` into `out`, from its element `to` on. */
  readonly unpack: (packed: Uint8Array, at: number, out: Float32Array, to: number) => void;
}

const halves = halfValues();
const half = (packed: Uint8Array, at: number): number => halves[packed[at]! | (packed[at + 1]! << 8)]!;
const int8 = (byte: number): number => (byte << 24) >> 24;

/**
 * The quantised types that are read, by GGML's names; each value is rounded to float32 once, as in its reference code. A block of the first
 * five has one scale (and in the types with _1 a smallest value) in float16; of the others, 256 elements, each of the parts has a small
 * scale (and smallest value) of its own beside that of the block.
 */
export const BLOCK_TYPES: Readonly<Record<string, BlockType>> = {
  Q8_0: { elements: 32, bytes: 34, unpack: unpackQ8 },
  Q4_0: { elements: 32, bytes: 18, unpack: unpackQ4 },
  Q4_1: { elements: 32, bytes: 20, unpack: unpackQ4WithLeast },
  Q5_0: { elements: 32, bytes: 22, unpack: unpackQ5 },
  Q5_1: { elements: 32, bytes: 24, unpack: unpackQ5WithLeast },
  Q4_K: { elements: 256, bytes: 144, unpack: unpackQ4K },
  Q5_K: { elements: 256, bytes: 176, unpack: unpackQ5K },
  Q6_K: { elements: 256, bytes: 210, unpack: unpackQ6K },
};

function unpackQ8(packed: Uint8Array, at: number, out: Float32Array, to: number): void {
  const scale = half(packed, at);
  for (let i = 0; i < 32; i++) out[to + i] = scale * int8(packed[at + 2 + i]!);
}

/** The low halves of 16 bytes are the first 16 elements, the high ones the others: so in all types of 32 elements below. */
function unpackQ4(packed: Uint8Array, at: number, out: Float32Array, to: number): void {
  const scale = half(packed, at);
  for (let i = 0; i < 16; i++) {
    const byte = packed[at + 2 + i]!;
    out[to + i] = scale * ((byte & 15) - 8);
    out[to + 16 + i] = scale * ((byte >> 4) - 8);
  }
}

function unpackQ4WithLeast(packed: Uint8Array, at: number, out: Float32Array, to: number): void {
  const [scale, least] = [half(packed, at), half(packed, at + 2)];
  for (let i = 0; i < 16; i++) {
    const byte = packed[at + 4 + i]!;
    out[to + i] = scale * (byte & 15) + least;
    out[to + 16 + i] = scale * (byte >> 4) + least;
  }
}

/** The fifth bits of all elements lie together, in 4 bytes before the others. */
function unpackQ5(packed: Uint8Array, at: number, out: Float32Array, to: number): void {
  const [scale, high] = [half(packed, at), readBits(packed, at + 2)];
  for (let i = 0; i < 16; i++) {
    const byte = packed[at + 6 + i]!;
    out[to + i] = scale * (((byte & 15) | (((high >> i) & 1) << 4)) - 16);
    out[to + 16 + i] = scale * (((byte >> 4) | (((high >> (i + 16)) & 1) << 4)) - 16);
  }
}

function unpackQ5WithLeast(packed: Uint8Array, at: number, out: Float32Array, to: number): void {
  const [scale, least, high] = [half(packed, at), half(packed, at + 2), readBits(packed, at + 4)];
  for (let i = 0; i < 16; i++) {
    const byte = packed[at + 8 + i]!;
    out[to + i] = scale * ((byte & 15) | (((high >> i) & 1) << 4)) + least;
    out[to + 16 + i] = scale * ((byte >> 4) | (((high >> (i + 16)) & 1) << 4)) + least;
  }
}

const readBits = (packed: Uint8Array, at: number): number =>
  packed[at]! | (packed[at + 1]! << 8) | (packed[at + 2]! << 16) | (packed[at + 3]! << 24);

/** A part's scale of 6 bits, of the eight that lie at `at` with as many smallest values (four bytes further on): two bits of each of the last four lie above the first four. */
const partScale = (packed: Uint8Array, at: number, part: number): number =>
  part < 4 ? packed[at + part]! & 63 : (packed[at + part + 4]! & 15) | ((packed[at + part - 4]! >> 6) << 4);

const partLeast = (packed: Uint8Array, at: number, part: number): number =>
  part < 4 ? packed[at + part + 4]! & 63 : (packed[at + part + 4]! >> 4) | ((packed[at + part]! >> 6) << 4);

/** Eight parts of 32 elements; a pair of parts shares 32 bytes. */
function unpackQ4K(packed: Uint8Array, at: number, out: Float32Array, to: number): void {
  const [scale, least] = [half(packed, at), half(packed, at + 2)];
  for (let part = 0; part < 8; part++) {
    const [own, under] = [scale * partScale(packed, at + 4, part), least * partLeast(packed, at + 4, part)];
    const [low, shift] = [at + 16 + 32 * (part >> 1), 4 * (part & 1)];
    for (let i = 0; i < 32; i++) out[to + 32 * part + i] = own * ((packed[low + i]! >> shift) & 15) - under;
  }
}

/** As above; bit `part` of the i-th of 32 further bytes is the fifth bit of that part's i-th element. */
function unpackQ5K(packed: Uint8Array, at: number, out: Float32Array, to: number): void {
  const [scale, least] = [half(packed, at), half(packed, at + 2)];
  for (let part = 0; part < 8; part++) {
    const [own, under] = [scale * partScale(packed, at + 4, part), least * partLeast(packed, at + 4, part)];
    const [low, shift] = [at + 48 + 32 * (part >> 1), 4 * (part & 1)];
    for (let i = 0; i < 32; i++) {
      const high = (packed[at + 16 + i]! >> part) & 1;
      out[to + 32 * part + i] = own * (((packed[low + i]! >> shift) & 15) | (high << 4)) - under;
    }
  }
}

/** Sixteen parts of 16 elements, their scales signed bytes; four bits of each element in 128 bytes, two more in 64. */
function unpackQ6K(packed: Uint8Array, at: number, out: Float32Array, to: number): void {
  const scale = half(packed, at + 208);
  for (let group = 0; group < 8; group++) {
    const [side, quarter] = [group >> 2, group & 3];
    const [low, high] = [at + 64 * side + 32 * (quarter & 1), at + 128 + 32 * side];
    for (let i = 0; i < 32; i++) {
      const own = scale * int8(packed[at + 192 + 2 * group + (i >> 4)]!);
      const bits =
        ((packed[low + i]! >> (4 * (quarter >> 1))) & 15) | (((packed[high + i]! >> (2 * quarter)) & 3) << 4);
      out[to + 32 * group + i] = own * (bits - 32);
    }
  }
}
