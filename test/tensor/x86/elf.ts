/** What a loader reads of a shared object for 64-bit little-endian machines (the specification's names, in words). */
export interface Elf {
  readonly sections: ReadonlyMap<string, { readonly bytes: Buffer; readonly isCode: boolean }>;
  /** Segments of memory: what each may be used for, 1 to run, 2 to write, 4 to read. */
  readonly segments: readonly { readonly type: number; readonly flags: number }[];
  /** Values of the dynamic section by their tags. */
  readonly dynamic: ReadonlyMap<number, number>;
  readonly symbols: readonly { readonly name: string; readonly isDefined: boolean; readonly isWeak: boolean }[];
}

const SECTION_RUNS = 4;
const WEAK = 2;

/** Parses a shared object. */
export function readElf(file: Buffer): Elf {
  if (file.readUInt32BE(0) !== 0x7f454c46) throw new Error("no ELF file");
  const sections = readSections(file);
  const [symbols, names] = [sections.get(".dynsym")!.bytes, sections.get(".dynstr")!.bytes];
  return {
    sections,
    segments: entries(file, Number(file.readBigUInt64LE(0x20)), file.readUInt16LE(0x36), file.readUInt16LE(0x38)).map(
      (entry) => ({ type: entry.readUInt32LE(0), flags: entry.readUInt32LE(4) }),
    ),
    dynamic: new Map(
      entriesOf(sections.get(".dynamic")!.bytes, 16).map((entry) => [
        Number(entry.readBigUInt64LE(0)),
        Number(entry.readBigUInt64LE(8)),
      ]),
    ),
    symbols: entriesOf(symbols, 24)
      .slice(1)
      .map((entry) => ({
        name: textAt(names, entry.readUInt32LE(0)),
        isDefined: entry.readUInt16LE(6) !== 0,
        isWeak: entry.readUInt8(4) >> 4 === WEAK,
      })),
  };
}

function readSections(file: Buffer): Elf["sections"] {
  const headers = entries(file, Number(file.readBigUInt64LE(0x28)), file.readUInt16LE(0x3a), file.readUInt16LE(0x3c));
  const contents = (header: Buffer): Buffer => {
    const [at, size] = [Number(header.readBigUInt64LE(0x18)), Number(header.readBigUInt64LE(0x20))];
    return file.subarray(at, at + size);
  };
  const names = contents(headers[file.readUInt16LE(0x3e)]!);
  return new Map(
    headers.map((header) => [
      textAt(names, header.readUInt32LE(0)),
      { bytes: contents(header), isCode: (header.readUInt32LE(8) & SECTION_RUNS) !== 0 },
    ]),
  );
}

const entries = (file: Buffer, at: number, each: number, count: number): Buffer[] =>
  Array.from({ length: count }, (_, i) => file.subarray(at + i * each, at + (i + 1) * each));

const entriesOf = (table: Buffer, each: number): Buffer[] => entries(table, 0, each, table.length / each);

const textAt = (names: Buffer, at: number): string => names.toString("latin1", at, names.indexOf(0, at));
