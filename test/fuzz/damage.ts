/** A source of numbers from 0 to 1. */
export type Random = () => number;

type Damage = (bytes: Buffer, random: Random) => Buffer;

const below = (random: Random, n: number): number => Math.floor(random() * n);
const oneOf = <T>(random: Random, list: readonly T[]): T => list[below(random, list.length)]!;

/** What may stand where a value stood: numbers that no one expects, and values of other kinds. */
const VALUES: readonly string[] = [
  ...["-1", "0", "-0", "0.5", "1e308", "1e999", "-1e308", "NaN", "2147483648", "9007199254740993", "1e21"],
  ...["9".repeat(400), "48", "8000", "100000", "1e9", "null", "true", "false", '""', '"8"', '"x"', "[]", "{}", "[[]]"],
  ...['{"a":{"b":1}}', '"__proto__"', '"constructor"', '" "', '"é😀"'],
];

/** Bytes that readers of text trip over: byte-order marks, zeros, line ends, halves of characters. */
const BYTES: readonly Buffer[] = [
  ...[
    "\ufeff",
    "\0",
    "\r",
    "\r\n",
    "\n",
    "\n\n",
    "\u2028",
    "\u0085",
    "\t",
    '"',
    "'",
    ",",
    "\\",
    "\u001b[2J",
    "=",
    "--",
  ],
].map((text) => Buffer.from(text));
const NO_TEXT: readonly Buffer[] = [[0xff, 0xfe], [0xe9], [0xed, 0xa0, 0x80], [0xc3]].map((list) => Buffer.from(list));

const TOKEN = /"(?:[^"\\\n]|\\.)*"|[\w.+-]+|[^\s\w]/g;
const NUMBER = /-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/gi;
const OPENING = /[[{("]/g;

const spliced = (bytes: Buffer, from: number, to: number, middle: Uint8Array): Buffer =>
  Buffer.concat([bytes.subarray(0, from), middle, bytes.subarray(to)]);

/** Where something stands in the bytes, read one character a byte. */
function places(bytes: Buffer, what: RegExp): { readonly from: number; readonly to: number }[] {
  const text = bytes.toString("latin1");
  return [...text.matchAll(what)].map(({ index, 0: found }) => ({ from: index, to: index + found.length }));
}

function replacing(what: RegExp, by: (found: string, random: Random) => string): Damage {
  return (bytes, random) => {
    const all = places(bytes, what);
    if (all.length === 0) return bytes;
    const { from, to } = oneOf(random, all);
    return spliced(bytes, from, to, Buffer.from(by(bytes.toString("latin1", from, to), random)));
  };
}

function inLines(change: (lines: string[], random: Random) => string[]): Damage {
  return (bytes, random) => Buffer.from(change(bytes.toString("latin1").split("\n"), random).join("\n"), "latin1");
}

/** A piece of the bytes, short ones more often. */
function piece(bytes: Buffer, random: Random): { readonly from: number; readonly to: number } {
  const from = below(random, bytes.length);
  return { from, to: Math.min(bytes.length, from + 1 + Math.floor(bytes.length * random() ** 4)) };
}

const DAMAGES: readonly Damage[] = [
  function flipBit(bytes, random) {
    if (bytes.length === 0) return bytes;
    const flipped = Buffer.from(bytes);
    flipped[below(random, bytes.length)]! ^= 1 << below(random, 8);
    return flipped;
  },
  function truncate(bytes, random) {
    return bytes.subarray(0, below(random, bytes.length + 1));
  },
  function insertBytes(bytes, random) {
    const at = below(random, bytes.length + 1);
    return spliced(bytes, at, at, oneOf(random, random() < 0.2 ? NO_TEXT : BYTES));
  },
  function removePiece(bytes, random) {
    const { from, to } = piece(bytes, random);
    return spliced(bytes, from, to, Buffer.alloc(0));
  },
  function duplicatePiece(bytes, random) {
    const { from, to } = piece(bytes, random);
    return spliced(bytes, to, to, bytes.subarray(from, to));
  },
  function overwriteNumber32(bytes, random) {
    if (bytes.length < 4) return bytes;
    const changed = Buffer.from(bytes);
    changed.writeUInt32LE(oneOf(random, [0, 1, 0x7fffffff, 0xffffffff, bytes.length]), below(random, bytes.length - 3));
    return changed;
  },
  function swapTokens(bytes, random) {
    const all = places(bytes, TOKEN);
    if (all.length < 2) return bytes;
    const [a, b] = [oneOf(random, all), oneOf(random, all)].toSorted((one, other) => one.from - other.from) as [
      (typeof all)[0],
      (typeof all)[0],
    ];
    if (a.from === b.from) return bytes;
    const [first, second] = [a, b].map(({ from, to }) => Buffer.from(bytes.subarray(from, to)));
    return spliced(spliced(bytes, b.from, b.to, first!), a.from, a.to, second!);
  },
  replacing(NUMBER, (_, random) => oneOf(random, VALUES)),
  replacing(TOKEN, (_, random) => oneOf(random, VALUES)),
  replacing(TOKEN, (found, random) => found.repeat(1 + below(random, 4))),
  replacing(OPENING, (found, random) => found.repeat(Math.floor(20_000 * random() ** 3))),
  replacing(/[^\s]/g, (found, random) => found.repeat(Math.floor(50_000 * random() ** 4))),
  inLines((lines, random) => lines.toSpliced(below(random, lines.length), 1)),
  inLines((lines, random) => lines.toSpliced(below(random, lines.length), 0, oneOf(random, lines))),
  inLines((lines, random) => lines.with(below(random, lines.length), oneOf(random, lines))),
];

/** The bytes with one to three damages, chosen and placed by `random`. */
export function damaged(bytes: Buffer, random: Random): Buffer {
  const times = 1 + Math.floor(3 * random() ** 2);
  let result = bytes;
  for (let i = 0; i < times; i++) result = oneOf(random, DAMAGES)(result, random);
  return result;
}
