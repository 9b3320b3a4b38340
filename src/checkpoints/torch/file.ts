import { fstatSync } from "node:fs";
import { KitError, shorten } from "../../error.ts";
import { bytesOf, type ReadBytes, readBytes, type StoredTensor, withFile } from "../safetensors.ts";
import { pickleBytes, unpickle } from "./pickle.ts";
import { readStrided } from "./strided.ts";
import { NOTHING, readStateDict, type StateDict, type TorchStorage } from "./tensors.ts";
import { listZip, readEntryBytes, type ZipEntry, type ZipFile } from "./zip.ts";

/** The number that files before PyTorch 1.6 begin with, pickled. */
const MAGIC = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];
const ZIP = [0x50, 0x4b, 3, 4];

/** Bytes of a storage in an open file. */
type FindBytes = (file: ZipFile, storage: TorchStorage) => ReadBytes;

/**
 * The tensors of a file that torch.save wrote of a state dict, by name, as a zip archive or in the layout before PyTorch 1.6. Only the pickle
 * that describes them has been read, which is never run (see `unpickle`); a tensor's numbers are read when they are needed. Throws a KitError for any
 * other file, one of another byte order, and one that is damaged or not whole.
 */
export function openTorch(path: string): Map<string, StoredTensor> {
  return withFile(path, (fd) => {
    const file = { fd, path, size: fstatSync(fd).size };
    const first = readBytes(fd, path, 0, new Uint8Array(Math.min(MAGIC.length, file.size)));
    const begins = (bytes: readonly number[]): boolean => bytes.every((byte, i) => first[i] === byte);
    if (begins(ZIP)) return openZipped(file);
    if (begins(MAGIC)) return openOld(file);
    throw fail(path, "it is no file that torch.save wrote");
  });
}

const fail = (path: string, found: string): KitError =>
  new KitError(`Reading ${path}: ${found}; download it again, or get the weights as safetensors.`);

function listTensors(path: string, { tensors }: StateDict, find: FindBytes): Map<string, StoredTensor> {
  const stored = [...tensors].map(([name, tensor]): [string, StoredTensor] => {
    const { shape, storage } = tensor;
    const read: StoredTensor["read"] = (into, from = 0) =>
      withFile(path, (fd) => {
        const bytes = find({ fd, path, size: fstatSync(fd).size }, storage);
        readStrided({ path, name, tensor, bytes }, into, from);
      });
    return [name, { path, dtype: storage.dtype.name, shape, read }];
  });
  return new Map(stored);
}

/** In an archive the pickle is NAME/data.pkl, and the storages are NAME/data/KEY. */
function openZipped(file: ZipFile): Map<string, StoredTensor> {
  const { path } = file;
  const entries = listZip(file);
  const [pickle, ...others] = [...entries.values()].filter(({ name }) => /^[^/]*\/data\.pkl$/.test(name));
  if (!pickle || others.length > 0) throw fail(path, "it is a zip archive, but none that torch.save wrote");
  const at = pickle.name.slice(0, -"data.pkl".length);
  checkOrder(file, entries.get(`${at}byteorder`));
  const dict = readStateDict(pickleBytes(path, readEntryBytes(file, pickle), pickle.size));
  const entryOf = ({ key, size, dtype }: TorchStorage): ZipEntry => {
    const entry = entries.get(`${at}data/${key}`);
    if (entry && entry.size >= size * dtype.bytes) return entry;
    throw fail(
      path,
      `its storage ${shorten(key)} should have ${size * dtype.bytes} bytes and has ${entry?.size ?? "none"}`,
    );
  };
  for (const storage of dict.storages.values()) entryOf(storage);
  return listTensors(path, dict, (open, storage) => readEntryBytes(open, entryOf(storage)));
}

const ORDER = "little";

function checkOrder(file: ZipFile, entry: ZipEntry | undefined): void {
  if (!entry) return; // before PyTorch 2.1 all were little-endian
  const bytes = new Uint8Array(Math.min(entry.size, ORDER.length));
  readEntryBytes(file, entry)(0, bytes);
  if (Buffer.from(bytes).toString() !== ORDER) throw fail(file.path, "it is of a big-endian machine");
}

/**
 * In an old file pickles follow one another: the magic number, the layout's version, facts of the machine, the state dict, and the keys of
 * its storages, which come after them in this order, each as its count of numbers in 8 bytes and the numbers.
 */
function openOld(file: ZipFile): Map<string, StoredTensor> {
  const { fd, path, size } = file;
  const pickles = pickleBytes(path, bytesOf(fd, path), size);
  const [, version, system] = [1, 2, 3].map(() => unpickle(pickles, NOTHING));
  if (version !== 1001) throw fail(path, "it is of an unknown version of PyTorch's old layout");
  if (!(system instanceof Map) || system.get("little_endian") !== true)
    throw fail(path, "it is of a big-endian machine");
  const dict = readStateDict(pickles);
  const keys = unpickle(pickles, NOTHING);
  const starts = findStarts(file, { dict, keys, from: pickles.taken() });
  return listTensors(
    path,
    dict,
    (open, { key }) =>
      (position, into) =>
        bytesOf(open.fd, path)(starts.get(key)! + position, into),
  );
}

/** Where the numbers of each storage of an old file begin. */
function findStarts(
  file: ZipFile,
  { dict, keys, from }: { readonly dict: StateDict; readonly keys: unknown; readonly from: number },
): ReadonlyMap<string, number> {
  const starts = new Map<string, number>();
  let at = from;
  for (const key of Array.isArray(keys) ? keys : []) {
    const storage = dict.storages.get(key);
    if (!storage || starts.has(key)) throw fail(file.path, "the keys of its storages are not those of its tensors");
    if (readCount(file, at) !== storage.size)
      throw fail(file.path, `its storage ${shorten(key)} has another size than its tensors say`);
    starts.set(key, at + COUNT_BYTES);
    at += COUNT_BYTES + storage.size * storage.dtype.bytes;
  }
  if (starts.size < dict.storages.size) throw fail(file.path, "the keys of its storages are not those of its tensors");
  if (at > file.size) throw fail(file.path, `it should have ${at} bytes and has ${file.size} (truncated?)`);
  return starts;
}

const COUNT_BYTES = 8;

function readCount({ fd, path }: ZipFile, at: number): number {
  const bytes = readBytes(fd, path, at, new Uint8Array(COUNT_BYTES));
  return Number(new DataView(bytes.buffer).getBigUint64(0, true));
}
