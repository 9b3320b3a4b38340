import { KitError, shorten } from "../../error.ts";
import type { ReadBytes } from "../safetensors.ts";

/** The bytes of pickles that follow one another, taken from the front. */
export interface PickleBytes {
  readonly path: string;
  /** How many have been taken. */
  readonly taken: () => number;
  /** The next bytes; they are overwritten by the next call. Throws a KitError where fewer are left, and for more than any name needs. */
  readonly take: (count: number) => Uint8Array;
}

/** Something that a pickle may name: a function or a class, which it may call where `call` is there. */
export interface Global {
  readonly kind: "global";
  /** Module and name, as "torch.FloatStorage". */
  readonly name: string;
  readonly call?: (args: readonly unknown[]) => unknown;
}

/** What a pickle may use beside plain values. */
export interface Allowed {
  readonly globals: ReadonlyMap<string, Global>;
  /** What a persistent id stands for. */
  readonly persistent: (id: unknown) => unknown;
}

const WINDOW = 1 << 20;
const MAX_TEXT_BYTES = 0xffff;
/** Sixty belong to a tensor: enough for 15,000 of them in a file, and for so little memory that no pickle exhausts it. */
const MAX_OPCODES = 1e6;

/** The first `size` bytes, a window of which is in memory at a time. */
export function pickleBytes(path: string, read: ReadBytes, size: number): PickleBytes {
  let [taken, start] = [0, 0];
  let window = new Uint8Array(0);
  const take = (count: number): Uint8Array => {
    if (count > MAX_TEXT_BYTES)
      throw new KitError(`Reading ${path}: its pickle has a text of ${count} bytes; download it again.`);
    if (taken + count > size) throw new KitError(`Reading ${path}: it ends within a pickle; download it again.`);
    if (taken + count > start + window.length) {
      window = new Uint8Array(Math.min(WINDOW, size - taken));
      read(taken, window);
      start = taken;
    }
    taken += count;
    return window.subarray(taken - count - start, taken - start);
  };
  return { path, taken: () => taken, take };
}

/**
 * The value of the next pickle: None is null, numbers, texts and booleans are themselves, tuples and lists are arrays, dicts are Maps, and
 * all else comes from what is allowed. A pickle is a program that may name and call anything in Python. Here it has only the
 * operations that torch.save writes, and calls only what `allowed` has: a general parser, such as the package pickleparser, would run the
 * others too, among them some that take memory or time without bound (a dict's key made of nested tuples, a number of many bytes).
 * Throws a KitError for any other operation or name, and for a pickle that is damaged or far too long.
 */
export function unpickle(bytes: PickleBytes, allowed: Allowed): unknown {
  const machine: Machine = { bytes, allowed, stack: [], marks: [], memo: new Map() };
  for (let count = 0; count < MAX_OPCODES; count++) {
    const opcode = bytes.take(1)[0]!;
    if (opcode === STOP) return pop(machine);
    const step = STEPS[opcode];
    if (!step) throw damaged(machine, `its pickle has the operation ${opcode}, which no file of tensors needs`);
    step(machine);
  }
  throw damaged(machine, `its pickle has more than ${MAX_OPCODES.toLocaleString("en")} operations`);
}

interface Machine {
  readonly allowed: Allowed;
  readonly bytes: PickleBytes;
  readonly stack: unknown[];
  /** Heights of the stack at the marks that are open. */
  readonly marks: number[];
  readonly memo: Map<number, unknown>;
}

const damaged = ({ bytes }: Machine, found: string): KitError =>
  new KitError(
    `Reading ${bytes.path}: ${found}; get the weights as safetensors, or as a state dict that torch.save wrote.`,
  );

const STOP = 0x2e;

/** The operations by their codes, in the order of Python's pickletools. */
const STEPS: Readonly<Record<number, (machine: Machine) => void>> = {
  74: (m) => push(m, view(m, 4).getInt32(0, true)), // BININT
  75: (m) => push(m, view(m, 1).getUint8(0)), // BININT1
  77: (m) => push(m, view(m, 2).getUint16(0, true)), // BININT2
  138: (m) => push(m, readLong(m)), // LONG1
  85: (m) => push(m, text(m, view(m, 1).getUint8(0))), // SHORT_BINSTRING
  78: (m) => push(m, null), // NONE
  136: (m) => push(m, true), // NEWTRUE
  137: (m) => push(m, false), // NEWFALSE
  88: (m) => push(m, text(m, view(m, 4).getUint32(0, true))), // BINUNICODE
  71: (m) => push(m, view(m, 8).getFloat64(0)), // BINFLOAT
  93: (m) => push(m, []), // EMPTY_LIST
  97: (m) => append(m, [pop(m)]), // APPEND
  101: (m) => append(m, popToMark(m)), // APPENDS
  41: (m) => push(m, []), // EMPTY_TUPLE
  116: (m) => push(m, popToMark(m)), // TUPLE
  133: (m) => push(m, popMany(m, 1)), // TUPLE1
  134: (m) => push(m, popMany(m, 2)), // TUPLE2
  135: (m) => push(m, popMany(m, 3)), // TUPLE3
  125: (m) => push(m, new Map()), // EMPTY_DICT
  115: (m) => setItems(m, popMany(m, 2)), // SETITEM
  117: (m) => setItems(m, popToMark(m)), // SETITEMS
  40: ({ marks, stack }) => void marks.push(stack.length), // MARK
  104: (m) => recall(m, view(m, 1).getUint8(0)), // BINGET
  106: (m) => recall(m, view(m, 4).getUint32(0, true)), // LONG_BINGET
  113: (m) => memorize(m, view(m, 1).getUint8(0)), // BINPUT
  114: (m) => memorize(m, view(m, 4).getUint32(0, true)), // LONG_BINPUT
  99: (m) => push(m, findGlobal(m, `${line(m)}.${line(m)}`)), // GLOBAL
  82: (m) => push(m, call(m, popMany(m, 2))), // REDUCE
  98: (m) => keepUnbuilt(m, popMany(m, 2)), // BUILD
  128: (m) => checkProtocol(m, view(m, 1).getUint8(0)), // PROTO
  81: (m) => push(m, m.allowed.persistent(pop(m))), // BINPERSID
};

const push = ({ stack }: Machine, value: unknown): void => void stack.push(value);

const view = ({ bytes }: Machine, count: number): DataView => {
  const { buffer, byteOffset } = bytes.take(count);
  return new DataView(buffer, byteOffset, count);
};

function popMany(machine: Machine, count: number): unknown[] {
  const { stack, marks } = machine;
  if (stack.length - count < (marks.at(-1) ?? 0)) throw damaged(machine, "its pickle takes what it has not made");
  return stack.splice(stack.length - count, count);
}

const pop = (machine: Machine): unknown => popMany(machine, 1)[0];

function popToMark(machine: Machine): unknown[] {
  const mark = machine.marks.pop();
  if (mark === undefined) throw damaged(machine, "its pickle ends a list that it has not begun");
  return machine.stack.splice(mark);
}

function text(machine: Machine, count: number): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(machine.bytes.take(count));
  } catch (error) {
    if (error instanceof KitError) throw error;
    throw damaged(machine, "its pickle has a text that is not UTF-8");
  }
}

/** A number that a double holds, or a bigint. */
function readLong(machine: Machine): number | bigint {
  const bytes = [...machine.bytes.take(view(machine, 1).getUint8(0))];
  const value = BigInt.asIntN(8 * bytes.length, BigInt(`0x0${Buffer.from(bytes.reverse()).toString("hex")}`));
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

const LONGEST_NAME = 256;

function line(machine: Machine): string {
  let characters = "";
  for (;;) {
    const byte = machine.bytes.take(1)[0]!;
    if (byte === 10) return characters;
    characters += String.fromCharCode(byte);
    if (characters.length > LONGEST_NAME) throw damaged(machine, `its pickle has the name ${shorten(characters)}`);
  }
}

function top<T>(machine: Machine, is: (value: unknown) => value is T): T {
  const value = machine.stack.at(-1);
  if (!is(value)) throw damaged(machine, "its pickle fills what is neither a list nor a dict");
  return value;
}

const isList = (value: unknown): value is unknown[] => Array.isArray(value);
const isDict = (value: unknown): value is Map<unknown, unknown> => value instanceof Map;

function append(machine: Machine, items: readonly unknown[]): void {
  const list = top(machine, isList);
  for (const item of items) list.push(item);
}

function setItems(machine: Machine, items: readonly unknown[]): void {
  const dict = top(machine, isDict);
  if (items.length % 2 !== 0) throw damaged(machine, "its pickle has a key without a value");
  for (let i = 0; i < items.length; i += 2) dict.set(items[i], items[i + 1]);
}

function memorize(machine: Machine, place: number): void {
  const [value] = popMany(machine, 1);
  machine.memo.set(place, value);
  push(machine, value);
}

function recall(machine: Machine, place: number): void {
  if (!machine.memo.has(place)) throw damaged(machine, "its pickle recalls what it has not kept");
  push(machine, machine.memo.get(place));
}

function findGlobal(machine: Machine, name: string): Global {
  const found = machine.allowed.globals.get(name);
  if (found) return found;
  throw damaged(machine, `its pickle names ${shorten(name)}, which no tensor needs and the kit does not run`);
}

function call(machine: Machine, [what, args]: readonly unknown[]): unknown {
  if (isGlobal(what) && what.call && isList(args)) return what.call(args);
  throw damaged(machine, `its pickle calls ${isGlobal(what) ? what.name : "what is no function"}`);
}

/** Whether a value is a global: no pickle can make an object of its own. */
export const isGlobal = (value: unknown): value is Global => isMade(value) && value.kind === "global";

/** Whether a value was made by what a pickle may name, or is that itself; its `kind` says what it is. */
export const isMade = (value: unknown): value is { readonly kind: string } =>
  typeof value === "object" && value !== null && !isList(value) && !isDict(value);

/** A dict may have attributes, such as a state dict's _metadata, which no tensor needs; nothing else has. */
function keepUnbuilt(machine: Machine, [what]: readonly unknown[]): void {
  if (!isDict(what)) throw damaged(machine, "its pickle sets attributes of what is no dict");
  push(machine, what);
}

function checkProtocol(machine: Machine, version: number): void {
  if (version !== 2) throw damaged(machine, `its pickle is of protocol ${version} instead of 2`);
}
