import { createHash } from "node:crypto";
import { Worker } from "node:worker_threads";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { plainNarrow, plainWiden } from "../../../src/tensor/halves.ts";
import { type Distribution, type Move, noiseKey, type Stretch, wholeStretch } from "../../../src/tensor/noise/key.ts";
import { addGaussian, addRademacher } from "../../../src/tensor/noise/plain.ts";
import { type HalfFormat, type Halves, isHalves, type Rounding, type Source } from "../../../src/tensor/source.ts";
import { atLevel, COMPILED, isHere, libraryAt, needsLevel } from "./levels.ts";

const ADD = { gaussian: addGaussian, rademacher: addRademacher } as const;
const LAWS = ["gaussian", "rademacher"] as const;
const KINDS = ["float32", "bfloat16 nearest", "bfloat16 stochastic", "float16 nearest", "float16 stochastic"] as const;
type Kind = (typeof KINDS)[number];

/** Lengths that fill vectors, groups of z, parts or none of them. */
const LENGTHS = [0, 1, 7, 16, 63, 64, 65, 130, 2047, 2049, 4096, 4097, 9001];

/** Of all sizes that a weight may have: the smallest numbers, ties between two of 16 bits, and some that float16 does not reach. */
const valueAt = (i: number): number =>
  i % 3 === 0 ? ((i % 4001) - 2000) * 2 ** -25 : Math.sin(i) * 2 ** ((i % 43) - 24);

const SENTINEL = 7;

/** An array inside a larger one, at an odd offset, and what surrounds it. */
interface Guarded<T> {
  readonly array: T;
  readonly around: () => readonly number[];
}

function guarded<T extends Float32Array | Uint16Array>(made: T): Guarded<T> {
  const array = made.fill(SENTINEL).subarray(3, -70) as T;
  return { array, around: () => [...made.subarray(0, 3), ...made.subarray(-70)] };
}

const floats = (length: number): Guarded<Float32Array> =>
  length === 0 ? { array: new Float32Array(0), around: () => [SENTINEL] } : guarded(new Float32Array(length + 73));

function weight(length: number, kind: Kind, sharing = false): Guarded<Source> {
  const [format, rounding] = kind.split(" ") as [HalfFormat | "float32", Rounding];
  const values = Float32Array.from({ length }, (_, i) => valueAt(i));
  const bytes = (size: number): ArrayBuffer =>
    (sharing ? new SharedArrayBuffer(size) : new ArrayBuffer(size)) as ArrayBuffer;
  if (format === "float32") {
    const kept = guarded(new Float32Array(bytes(4 * (length + 73))));
    kept.array.set(values);
    return kept;
  }
  const { array, around } = guarded(new Uint16Array(bytes(2 * (length + 73))));
  plainNarrow(values, format, array);
  return { array: { bits: array, format, rounding }, around };
}

const movesOf = (name: string, count: number): Move[] =>
  Array.from({ length: count }, (_, step) => ({
    key: noiseKey(3, step, name),
    scale: 0.3 * Math.sin(step + 1),
    keep: step % 2 ? 0.999 : 1,
  }));

/** The moves by plain.ts and halves.ts alone, without WebAssembly. */
function movePlainly({ theta, offset, moves, law }: Stretch): void {
  for (const move of moves) isHalves(theta) ? moveHalves(theta, move, law, offset) : addTo(theta, move, law, offset);
}

function addTo(theta: Float32Array, { key, scale, keep }: Move, law: Distribution, offset: number): void {
  ADD[law](theta, scale, key, offset, keep);
}

function moveHalves({ bits, format, rounding }: Halves, move: Move, law: Distribution, offset: number): void {
  const values = new Float32Array(bits.length);
  plainWiden(bits, format, values);
  addTo(values, move, law, offset);
  plainNarrow(values, format, bits, rounding === "stochastic" ? { key: move.key, from: 0 } : undefined);
}

/** What two arrays have in common exactly where all their bits are the same. */
function hashOf(source: Source): string {
  const { buffer, byteOffset, byteLength } = isHalves(source) ? source.bits : source;
  return createHash("sha256")
    .update(Buffer.from(buffer, byteOffset, byteLength))
    .digest("hex");
}

const stretchOf = (theta: Source, law: Distribution, i: number, count = 3): Stretch =>
  wholeStretch(theta, movesOf(`weight ${i}`, count), law, 2048 * [0, 5, 2 ** 24 - 1][i % 3]!);

const expected = new Map<string, string[]>();

/** The weights of a kind after their moves, by plain.ts. */
function expectedOf(kind: Kind, law: Distribution): string[] {
  const name = `${kind} ${law}`;
  if (!expected.has(name)) {
    const all = LENGTHS.map((length, i) => stretchOf(weight(length, kind).array, law, i));
    all.forEach(movePlainly);
    expected.set(
      name,
      all.map(({ theta }) => hashOf(theta)),
    );
  }
  return expected.get(name)!;
}

afterAll(() => {
  vi.unstubAllEnvs();
  vi.resetModules();
});

describe.each(COMPILED)("sweeps %s", (level) => {
  describe.skipIf(!isHere(level))(needsLevel(level), () => {
    let move: (stretches: readonly Stretch[]) => void;
    let setThreads: (count: number) => void;
    beforeAll(async () => {
      [{ moveInLibrary: move }, { setLibraryThreads: setThreads }] = await atLevel(level, () =>
        Promise.all([import("../../../src/tensor/x86/moves.ts"), import("../../../src/tensor/x86/library.ts")]),
      );
    });

    describe.each(LAWS)("with %s noise", (law) => {
      test.each(KINDS)("of weights in %s have the bits of plain.ts, and leave what surrounds them alone", (kind) => {
        for (const [threads, sharing] of [[1, false] as const, [2, false] as const, [2, true] as const]) {
          setThreads(threads);
          const weights = LENGTHS.map((length) => weight(length, kind, sharing));
          move(weights.map(({ array }, i) => stretchOf(array, law, i)));
          expect(weights.map(({ array }) => hashOf(array))).toEqual(expectedOf(kind, law));
          expect(new Set(weights.flatMap(({ around }) => around()))).toEqual(new Set([SENTINEL]));
        }
      });

      test("of a weight's part are those of the weight there, on any number of threads", () => {
        const [whole, part] = [weight(100_001, "float32").array, weight(100_001, "float32").array];
        move([stretchOf(whole, law, 0, 20)]);
        setThreads(5);
        const [from, to] = [16 * 2048, 90_000];
        move([{ ...stretchOf(part, law, 0, 20), from, to }]);
        const before = weight(100_001, "float32").array as Float32Array;
        for (const [same, of] of [
          [[0, from], before],
          [[from, to], whole],
          [[to], before],
        ] as const)
          expect(hashOf((part as Float32Array).subarray(...same))).toBe(hashOf((of as Float32Array).subarray(...same)));
        expect(hashOf(whole)).not.toBe(hashOf(before));
      });

      test.each(KINDS)("give both sides of any elements of weights in %s, which stay as they are", (kind) => {
        const theta = weight(70_001, kind).array;
        const before = hashOf(theta);
        const values = new Float32Array(70_001);
        if (isHalves(theta)) plainWiden(theta.bits, theta.format, values);
        else values.set(theta);
        const [key, scale] = [noiseKey(1, 2, "weight"), 1e-3];
        const sided = [scale, -scale].map((way) => {
          const side = values.slice();
          addTo(side, { key, scale: way, keep: 1 }, law, 4096);
          return side;
        });
        const parts = [
          [0, 70_001],
          [2048, 4096],
          [767, 1535],
          [64, 65],
          [16_383, 16_385],
          [30_001, 70_000],
          [5, 5],
        ];
        const written = parts.map(([from, to]) => [floats(to! - from!), floats(to! - from!)] as const);
        setThreads(2);
        move(
          parts.map(([from, to], i) => ({
            ...wholeStretch(theta, [{ key, scale, keep: 1 }], law, 4096),
            from: from!,
            to: to!,
            sides: { plus: written[i]![0].array, minus: written[i]![1].array },
          })),
        );
        written.forEach((both, i) => {
          both.forEach(({ array, around }, side) => {
            expect(hashOf(array)).toEqual(hashOf(sided[side]!.subarray(...parts[i]!)));
            expect(new Set(around())).toEqual(new Set([SENTINEL]));
          });
        });
        expect(hashOf(theta)).toEqual(before);
      });
    });

    test.each(LAWS)("with %s noise within a mask have the bits of plain.ts, in place and on both sides", (law) => {
      const mask = Uint32Array.from({ length: 64 * 8 }, (_, i) => (i * 0x9e3779b9) >>> 0);
      const moves = movesOf("masked", 3).map((one, i) => (i === 1 ? one : { ...one, key: { ...one.key, mask } }));
      for (const length of LENGTHS) {
        const [found, expected] = [weight(length, "float32").array, weight(length, "float32").array];
        movePlainly(wholeStretch(expected, moves, law, 2048));
        move([wholeStretch(found, moves, law, 2048)]);
        expect(hashOf(found)).toBe(hashOf(expected));
        const sides = { plus: new Float32Array(length), minus: new Float32Array(length) };
        const side = { ...moves[0]!, keep: 1 };
        move([{ ...wholeStretch(found, [side], law, 2048), sides }]);
        movePlainly(wholeStretch(expected, [side], law, 2048));
        expect(hashOf(sides.plus)).toBe(hashOf(expected));
      }
    });

    test("are refused where a stretch leaves its array, its sides are too short, or it begins within a group", () => {
      const stretch = stretchOf(new Float32Array(5000), "gaussian", 0, 1);
      const sides = { plus: new Float32Array(10), minus: new Float32Array(9) };
      expect(() => move([{ ...stretch, to: 5001 }])).toThrow("elements 0 to 5001 of 5000");
      expect(() => move([{ ...stretch, to: 10, sides }])).toThrow("with sides of 10,9");
      expect(() => move([{ ...stretch, from: 64 }])).toThrow("refused");
      expect(() => move([{ ...stretch, offset: 64 }])).toThrow("refused");
      expect(stretch.theta).toEqual(new Float32Array(5000));
    });

    test("have the same bits where several Workers sweep at once, each on threads of its own wish", async () => {
      const law = "gaussian";
      const stretch = stretchOf(weight(9001, "float32").array, law, 12, 40);
      movePlainly(stretch);
      const begun = Float32Array.from({ length: 9001 }, (_, i) => valueAt(i));
      const words = stretch.moves.map(({ key, scale, keep }) => ({ ...key, scale, keep }));
      const workers = [1, 2, 3, 2].map(
        (threads) =>
          new Worker(`(${sweepInWorker})(require("koffi"), require("node:worker_threads"))`, {
            eval: true,
            workerData: {
              path: libraryAt(level),
              begun,
              expected: stretch.theta,
              words,
              offset: stretch.offset,
              threads,
            },
          }),
      );
      const wrong = await Promise.all(
        workers.map((worker) => new Promise((resolve, reject) => worker.on("message", resolve).on("error", reject))),
      );
      expect(wrong).toEqual([0, 0, 0, 0]);
    });
  });
});

interface WorkerTask {
  readonly path: string;
  readonly begun: Float32Array;
  readonly expected: Float32Array;
  readonly words: readonly { k0: number; k1: number; stream: number; scale: number; keep: number }[];
  readonly offset: number;
  readonly threads: number;
}

/** Sweeps many times by the library's C function alone; sends how often a bit was wrong. It runs as text in another thread. */
function sweepInWorker(
  koffi: typeof import("koffi").default,
  { workerData, parentPort }: typeof import("node:worker_threads"),
): void {
  const { path, begun, expected, words, offset, threads } = workerData as WorkerTask;
  const move = koffi.load(path).func("int mezo_move(int64_t *, int, uint32_t *, int)");
  const moves = new Uint32Array(8 * words.length);
  const floats = new Float32Array(moves.buffer);
  words.forEach(({ k0, k1, stream, scale, keep }, i) => {
    moves.set([k0, k1, stream], 8 * i);
    floats.set([scale, keep], 8 * i + 6);
  });
  let wrong = 0;
  for (let time = 0; time < 60; time++) {
    const theta = begun.slice();
    const fields = [0, 0, 0, 0, 0, 0, theta.length, offset, 0, words.length, 0];
    const table = BigInt64Array.from([koffi.address(theta), ...fields.map(BigInt)]);
    if (move(table, 1, moves, threads) !== 0) wrong++;
    if (Buffer.compare(Buffer.from(theta.buffer), Buffer.from(expected.slice().buffer)) !== 0) wrong++;
  }
  parentPort!.postMessage(wrong);
}
