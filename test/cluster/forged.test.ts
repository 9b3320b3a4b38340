import { describe, expect, test } from "vitest";
import { coordinate } from "../../src/cluster/coordinator.ts";
import { inMemory } from "../../src/cluster/inMemory.ts";
import { readAnswer } from "../../src/cluster/messages.ts";
import type { PieceKey, Port } from "../../src/cluster/port.ts";
import { work } from "../../src/cluster/worker.ts";
import type { KitError } from "../../src/error.ts";
import { KIT_VERSION, NOISE_VERSION } from "../../src/experiment/header.ts";
import type { TuneOptions } from "../../src/experiment/tuneOptions.ts";
import { loadModel } from "../../src/models/load.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { tinyModel, tinyTensors } from "../tiny.ts";
import { during, tuned } from "./run.ts";

const tuner = mezo({ lr: 1e-3, eps: 1e-2 });
const alone = (): ReturnType<typeof tuned> => tuned(tuner, { microBatchSize: 4 });

/** Of a run "one" with two shards a step. */
function onCluster(port: Port, refused: KitError[] = []): Partial<TuneOptions> {
  return { cluster: coordinate(port, { shards: 2, run: "one", onRefused: (why) => refused.push(why) }) };
}

const texts = (refused: readonly KitError[]): string => refused.map(({ message }) => message).join("\n");

describe("what others write into a cluster is left aside in a sentence, and the run stays as it is:", () => {
  test("answers that are none, of another piece, and of another base, kit and size", async () => {
    const port = inMemory();
    const forge = (piece: PieceKey, base: string): string[] => {
      const made = { ...piece, worker: "forger", base, kit: KIT_VERSION, noise: NOISE_VERSION };
      const losses = { lossPlus: 1, lossMinus: 2 };
      return [
        "{",
        JSON.stringify({ ...made, lossPlus: 1, lossMinus: "much" }),
        JSON.stringify({ ...made, ...losses }).replace('"lossPlus":1', '"lossPlus":1e999'),
        JSON.stringify({ ...made, ...losses, run: "two" }),
        JSON.stringify({ ...made, loss: 1 }),
        JSON.stringify({ ...made, ...losses, loss: 1 }),
        JSON.stringify({ ...made, ...losses, step: piece.step + 1 }),
        JSON.stringify({ ...made, ...losses, base: "0123456789abcdef" }),
        JSON.stringify({ ...made, ...losses, kit: "0.0.0" }),
        `"${"x".repeat(2 ** 20)}"`,
      ];
    };
    const refused: KitError[] = [];
    const forging: Port = {
      ...port,
      publish: async (piece, text) => {
        const { header } = JSON.parse((await port.lines("one"))[0]!.text);
        const [forged, later] = [forge(piece, header.weightsHash), { ...piece, step: piece.step + 3 }];
        for (const [i, each] of forged.entries()) await port.answer(piece, each, `forger${i}`);
        await port.answer(later, forged[3]!, "forger");
        await port.publish(piece, text);
      },
    };
    expect(await during([port], () => tuned(tuner, onCluster(forging, refused)))).toEqual(await alone());
    for (const why of [
      /is no JSON/,
      /its lossMinus must be number/,
      /its lossPlus must be number/,
      /of run two stood among/,
      /1\.0\.0 of run one stood among/,
      /the losses of both sides were asked for and it has those of one place/,
      /must match exactly one schema in oneOf/,
    ])
      expect(texts(refused)).toMatch(why);
    for (const why of [
      /its base is 0123456789abcdef and the run's/,
      /its kit is 0\.0\.0/,
      /more than 1048576 bytes/,
      /step 0 is due/,
    ])
      expect(texts(refused)).toMatch(why);
  });

  test("pieces that are none, of another run, of words and pairs that there are not, and losses that were not", async () => {
    const port = inMemory({ turn: 0.1, patience: 1 });
    const refused: KitError[] = [];
    const forging: Port = {
      ...port,
      publish: async (piece, text) => {
        const made = JSON.parse(text);
        const others = [
          "[]",
          JSON.stringify({ ...made, run: "two" }),
          JSON.stringify({ ...made, rows: [{ ids: [2], ends: [[9999], [5]], lengths: [1, 1], gold: [0] }] }),
          JSON.stringify({ ...made, rows: [{ ids: [2], ends: [[4], [5]], lengths: [1, 1], gold: [2] }] }),
          JSON.stringify({ ...made, pair: 99 }),
          JSON.stringify({ ...made, z: { ...made.z, seed: 77 } }),
          JSON.stringify({ ...made, known: [1, 2] }),
        ];
        if (piece.step === 1)
          for (const [i, each] of others.entries()) await port.publish({ ...piece, shard: 10 + i }, each);
        await port.publish(piece, text);
      },
    };
    expect(await during([port], () => tuned(tuner, onCluster(forging)), refused)).toEqual(await alone());
    for (const why of [/should be a piece/, /of run two stood in the queue/, /vocabulary of 19/, /none of its options/])
      expect(texts(refused)).toMatch(why);
    for (const why of [
      /pair 99, which the run's tuner does not ask for/,
      /looks along {"seed":5/,
      /do not come before its own/,
    ])
      expect(texts(refused)).toMatch(why);
  });
});

test("a worker of another base is told both hashes and left aside; the run is done by others", async () => {
  const other = await loadModel(
    tinyModel({ tensors: tinyTensors().map((one) => ({ ...one, data: one.data.map((x) => 2 * x) })) }),
  );
  const port = inMemory();
  const [over, refused] = [new AbortController(), [] as KitError[]];
  const working = work(other, port, { signal: over.signal, onRefused: (why) => refused.push(why) });
  expect(await during([port], () => tuned(tuner, onCluster(port)))).toEqual(await alone());
  over.abort();
  await working;
  expect(texts(refused)).toMatch(
    new RegExp(`with the weights [0-9a-f]{16}, but .* with the weights ${other.weightsHash} was given`),
  );
  other.dispose();
});

test("a name that another run has in the cluster is refused, and that run stays as it is", async () => {
  const port = inMemory();
  await during([port], () => tuned(tuner, onCluster(port)));
  const before = await port.lines("one");
  await expect(tuned(tuner, { ...onCluster(port), seed: 6 })).rejects.toThrow(
    /^Run one was to be gone on with in the cluster, but it is another one there: .*seed.*; give this one another name\.$/,
  );
  expect(await port.lines("one")).toEqual(before);
});

test("a message of 100 MB is refused before it is read", () => {
  const piece = { run: "one", step: 0, pair: 0, shard: 0 };
  expect(() => readAnswer(`"${"x".repeat(1e8)}"`, piece)).toThrow(/more than 1048576 bytes/);
});
