import { describe, expect, test } from "vitest";
import { lora } from "../../src/adapters/lora.ts";
import { coordinate } from "../../src/cluster/coordinator.ts";
import { inMemory } from "../../src/cluster/inMemory.ts";
import type { Port } from "../../src/cluster/port.ts";
import { work } from "../../src/cluster/worker.ts";
import type { KitError } from "../../src/error.ts";
import type { TuneOptions } from "../../src/experiment/tuneOptions.ts";
import { loadModel } from "../../src/models/load.ts";
import type { RunRecorder } from "../../src/record/run.ts";
import { nSpsa, onePoint } from "../../src/tuners/estimates.ts";
import { evolutionStrategies, fzoo } from "../../src/tuners/fzoo.ts";
import { lozo } from "../../src/tuners/lozo.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { mezoMomentum } from "../../src/tuners/rules.ts";
import { sparseMezo } from "../../src/tuners/sparse.ts";
import type { Tuner } from "../../src/tuners/tuner.ts";
import { base, during, folder, tuned } from "./run.ts";

const zeroth = { lr: 1e-3, eps: 1e-2 };
const TUNERS: readonly (readonly [string, Tuner, Partial<TuneOptions>])[] = [
  ["MeZO by rows", mezo({ ...zeroth, schedule: "linear", weightDecay: 0.1 }), { microBatchSize: 2 }],
  ["MeZO with LoRA", mezo(zeroth), { microBatchSize: 3, adapter: lora({ rank: 2 }) }],
  ["n-SPSA by directions", nSpsa({ ...zeroth, n: 3 }), {}],
  ["n-SPSA by directions and rows", nSpsa({ ...zeroth, n: 2 }), { microBatchSize: 4 }],
  ["momentum", mezoMomentum({ ...zeroth, beta: 0.9 }), { microBatchSize: 4 }],
  ["LOZO", lozo({ ...zeroth, rank: 2, interval: 2 }), { microBatchSize: 4 }],
  ["FZOO by directions", fzoo({ ...zeroth, n: 3 }), {}],
  ["FZOO by directions and rows", fzoo({ ...zeroth, n: 2 }), { microBatchSize: 4 }],
  ["evolution strategies", evolutionStrategies({ ...zeroth, n: 3 }), { microBatchSize: 4 }],
  ["sparse MeZO", sparseMezo({ ...zeroth, share: 0.5 }), { microBatchSize: 4 }],
];

/** The port of a worker that takes pieces and then says nothing more. */
function deadAfter(pieces: number, port: Port): Port {
  let taken = 0;
  const answer: Port["answer"] = async (...given) => {
    if (taken++ < pieces) return port.answer(...given);
    return new Promise<never>(() => {});
  };
  return { ...port, answer };
}

describe("a run on a cluster", () => {
  test.each(TUNERS)(
    "of %s has the numbers and the weights of one process with the same split",
    async (_, tuner, options) => {
      const alone = await tuned(tuner, options);
      const port = inMemory();
      const shards = options.microBatchSize ? Math.ceil(base.batchSize! / options.microBatchSize) : 1;
      const { microBatchSize: __, ...rest } = options;
      const refused: KitError[] = [];
      const together = await during(
        [port, port],
        () => tuned(tuner, { ...rest, cluster: coordinate(port, { shards }) }),
        refused,
      );
      expect(refused).toEqual([]);
      expect(together).toEqual(alone);
      expect(await port.offers()).toEqual([]);
    },
  );

  const byRows = { microBatchSize: 4 };
  const onCluster = (port: Port): Partial<TuneOptions> => ({ cluster: coordinate(port, { shards: 2, run: "one" }) });

  test("goes on where a worker comes late and another has died with a piece in its hands", async () => {
    const alone = await tuned(mezo(zeroth), byRows);
    const port = inMemory({ patience: 0.2, turn: 0.1 });
    const over = new AbortController();
    const dying = await loadModel(folder);
    void work(dying, deadAfter(5, port), { signal: over.signal });
    const late: Port = { ...port, offers: async () => (lines() < 3 ? [] : port.offers()) };
    let lines = (): number => 0;
    void (async () => {
      let count = 0;
      lines = () => count;
      for await (const _ of port.follow("one", 0, over.signal)) count++;
    })();
    expect(await during([late], () => tuned(mezo(zeroth), onCluster(port)))).toEqual(alone);
    over.abort();
    dying.dispose();
  });

  test("is continued by another coordinator, in an empty folder, from the lines in the cluster alone", async () => {
    const alone = await tuned(mezo(zeroth), byRows);
    const port = inMemory({ patience: 0.2, turn: 0.1 });
    let appended = 0;
    const dying: Port = {
      ...port,
      append: async (...given) => {
        if (appended++ === 4) throw new Error("killed");
        return port.append(...given);
      },
      withdraw: async () => {},
    };
    const told: number[] = [];
    const record: RunRecorder = { start: () => told.push(-1), step: ({ step }) => told.push(step), score: () => {} };
    await during([port, port], async () => {
      await expect(tuned(mezo(zeroth), onCluster(dying))).rejects.toThrow("killed");
      expect(await tuned(mezo(zeroth), { ...onCluster(port), record })).toEqual(alone);
    });
    expect(told).toEqual([-1, 0, 1, 2, 3, 4, 5]);
    const steps = (await port.lines("one")).map(({ text }) => JSON.parse(text)).filter(({ losses }) => losses);
    expect(steps.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4, 5]);
    const { run } = await tuned(mezo(zeroth), onCluster(port)); // it is there to its end: nobody has to work
    expect(run).toEqual(alone.run);
  });

  test("of a tuner that looks where it has moved theta is refused, with nothing written", async () => {
    const port = inMemory();
    await expect(tuned(onePoint(zeroth), { cluster: coordinate(port, { run: "one" }) })).rejects.toThrow(
      /MeZO-one-point was to be computed by a cluster, but it moves theta before it asks for a loss/,
    );
    expect(await port.lines("one")).toEqual([]);
    expect(await port.offers()).toEqual([]);
  });
});
