import { fstatSync } from "node:fs";
import { resolve } from "node:path";
import { GGMLQuantizationType, gguf } from "@huggingface/gguf";
import { KitError, shorten } from "../../error.ts";
import { readBytes, withFile } from "../safetensors.ts";
import { BLOCK_TYPES } from "./blocks.ts";

/** What a GGUF file says of its model, by GGUF's keys: texts, numbers (large ones as bigint), flags, and lists of these. */
export type Metadata = Readonly<Record<string, unknown>>;

/** One tensor of a GGUF file: where its bytes lie, counted from the start of the file. */
export interface GgufTensor {
  readonly name: string;
  /** Its type, as GGML calls it. */
  readonly dtype: string;
  /** Rows first, unlike in the file. */
  readonly shape: readonly number[];
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** A GGUF file of which only the header has been read. */
export interface GgufFile {
  readonly path: string;
  readonly metadata: Metadata;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

/**
 * Opens a GGUF file: reads and checks its header, no tensor. Throws a KitError unless all of it is sound, and for tensors of a type that
 * is not read.
 */
export async function openGguf(path: string): Promise<GgufFile> {
  const fileBytes = withFile(path, (fd) => checkStart(path, fd));
  const { metadata, tensorInfos, tensorDataOffset, littleEndian, tensorInfoByteRange } = await parseHeader(path);
  if (!littleEndian)
    throw damaged(path, "its numbers have their high byte first", "convert it for this kind of machine");
  if (tensorInfoByteRange[1] > fileBytes) throw damaged(path, `its header goes on after its ${fileBytes} bytes`);
  const found = metadata as unknown as Metadata;
  if (Number(found["split.count"] ?? 1) > 1)
    throw new KitError(
      `Reading ${path}: it is one of ${found["split.count"]} parts of a model; join them with llama.cpp's llama-gguf-split --merge, and give the whole file.`,
    );
  const alignment = Number(found["general.alignment"] ?? 32);
  const tensors = tensorInfos.map((info) => placeTensor(path, info, Number(tensorDataOffset)));
  checkPlaces(path, tensors, { alignment, start: Number(tensorDataOffset), end: fileBytes });
  return { path, metadata: found, tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])) };
}

const AGAIN = "download it again";

const damaged = (path: string, found: string, advice: string = AGAIN): KitError =>
  new KitError(`Reading ${path}: ${found}; ${advice}.`);

/** The magic number, the version, and how many tensors and entries of metadata follow. */
const START_BYTES = 24;
/** The fewest bytes that a tensor's description and an entry of metadata take. */
const [LEAST_TENSOR, LEAST_ENTRY] = [24, 13];

/** Checks what can be wrong before anything is made by it: that this is GGUF, and counts that the file has no room for. Returns the file's length. */
function checkStart(path: string, fd: number): number {
  const fileBytes = fstatSync(fd).size;
  if (fileBytes < START_BYTES) throw damaged(path, `it has ${fileBytes} bytes, too few for a GGUF file`);
  const start = readBytes(fd, path, 0, new Uint8Array(START_BYTES));
  if (new TextDecoder().decode(start.subarray(0, 4)) !== "GGUF")
    throw damaged(path, "it does not begin as GGUF files do", "give a file of that format");
  const view = new DataView(start.buffer);
  const version = view.getUint32(4, true);
  if (version !== 2 && version !== 3)
    throw damaged(path, `it has version ${version} of GGUF, and only 2 and 3 are read`, "convert the model again");
  const needs = view.getBigUint64(8, true) * BigInt(LEAST_TENSOR) + view.getBigUint64(16, true) * BigInt(LEAST_ENTRY);
  if (needs > fileBytes)
    throw damaged(path, `its header must have ${needs} bytes and more, and the file has ${fileBytes}`);
  return fileBytes;
}

async function parseHeader(path: string): ReturnType<typeof gguf> {
  try {
    return await gguf(resolve(path), { allowLocalFile: true });
  } catch (error) {
    throw damaged(path, `its header cannot be read (${shorten((error as Error).message)})`);
  }
}

type TensorInfo = Awaited<ReturnType<typeof gguf>>["tensorInfos"][number];

/** Types of one number per element, by their bytes. */
const PLAIN: Readonly<Record<string, number>> = { F32: 4, F16: 2, BF16: 2, F64: 8 };

function placeTensor(path: string, { name, shape: given, dtype: type, offset }: TensorInfo, start: number): GgufTensor {
  const shape = given.map(Number).reverse();
  const dtype = GGMLQuantizationType[type] ?? `type ${type}`;
  const [elements, bytes] = PLAIN[dtype]
    ? [1, PLAIN[dtype]]
    : [BLOCK_TYPES[dtype]?.elements, BLOCK_TYPES[dtype]?.bytes];
  if (elements === undefined || bytes === undefined)
    throw new KitError(
      `Reading "${shorten(name)}" from ${path}: it is stored as ${dtype}, and the kit reads ${[...Object.keys(PLAIN), ...Object.keys(BLOCK_TYPES)].join(", ")}; take a file of the model in one of these.`,
    );
  const size = shape.reduce((product, length) => product * length, 1);
  if ((shape.at(-1) ?? 1) % elements !== 0 || size === 0)
    throw damaged(path, `its tensor "${shorten(name)}" of [${shape}] is no whole number of blocks of ${elements}`);
  return { name, dtype, shape, byteOffset: start + Number(offset), byteLength: (size / elements) * bytes };
}

/** Throws a KitError for tensors of one name, off the file's alignment, beyond its end, or over one another. */
function checkPlaces(
  path: string,
  tensors: readonly GgufTensor[],
  file: { alignment: number; start: number; end: number },
): void {
  const names = new Set<string>();
  let [before, end] = ["the header", file.start];
  for (const { name, byteOffset, byteLength } of tensors.toSorted((a, b) => a.byteOffset - b.byteOffset)) {
    const tensor = `its tensor "${shorten(name)}"`;
    if (names.has(name)) throw damaged(path, `${tensor} is there twice`);
    if ((byteOffset - file.start) % file.alignment !== 0)
      throw damaged(path, `${tensor} begins at byte ${byteOffset}, which is not aligned to ${file.alignment}`);
    if (byteOffset < end) throw damaged(path, `${tensor} overlaps ${before}`);
    end = byteOffset + byteLength;
    if (end > file.end) throw damaged(path, `${tensor} ends at byte ${end}, and the file has ${file.end}`);
    before = `"${shorten(name)}"`;
    names.add(name);
  }
}
