import { describe, expect, test } from "vitest";
import { nSpsa } from "../../src/tuners/estimates.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { tuned } from "./run.ts";
import { type Fates, faultless, oneProcess, simulate } from "./simulation.ts";

const zeroth = { lr: 1e-3, eps: 1e-2 };
const settings = { steps: 10, evaluateEvery: 5, batchSize: 11 };

/** Everything that can happen to 200 workers. */
const fates: Fates = {
  ...faultless,
  ...{ workers: 200, rows: 11, passSeconds: 3, moveSeconds: 0.1, sigma: 0.8, latency: 0.01, patience: 2 },
  ...{ deaths: 0.2, restSeconds: 1, twice: 0.2, late: 0.5, lateSeconds: 5, coordinatorDeaths: [0, 25, 38, 31, 20] },
};

describe("in virtual time, of 200 workers that are slow, late, dead or answer twice, and a coordinator that dies,", () => {
  test.each([
    ["MeZO by rows", mezo(zeroth), { shards: 11, pieces: 110 }],
    ["n-SPSA by directions and rows", nSpsa({ ...zeroth, n: 4 }), { shards: 3, pieces: 120 }],
  ])("a run of %s is that of one process, with every step once", async (_, tuner, { shards, pieces }) => {
    const alone = await tuned(tuner, { ...settings, cluster: oneProcess(shards) });
    const { port, happened, coordinated, stop } = simulate(fates);
    expect(await coordinated(shards, (cluster) => tuned(tuner, { ...settings, cluster }))).toEqual(alone);
    stop();
    const lines = (await port.lines("one")).map(({ text }) => JSON.parse(text));
    expect(lines.filter(({ losses }) => losses).map(({ step }) => step)).toEqual([...Array(10).keys()]);
    expect(lines.filter(({ cost }) => cost)).toHaveLength(1);
    expect(await port.offers()).toEqual([]);
    expect(happened.coordinatorDeaths).toBe(fates.coordinatorDeaths.length);
    for (const count of [happened.deaths, happened.twice, happened.late, happened.pieces - pieces])
      expect(count).toBeGreaterThan(10);
  });
});
