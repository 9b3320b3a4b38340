import { expect, test } from "vitest";
import { nSpsa } from "../../src/tuners/estimates.ts";
import { tuned } from "./run.ts";
import { faultless, oneProcess, simulate } from "./simulation.ts";

test("in virtual time 1,000 workers, a tenth of whose pieces are never answered, and a coordinator that dies four times make the run of one process", async () => {
  const tuner = nSpsa({ lr: 1e-3, eps: 1e-2, n: 100 });
  const settings = { steps: 10, evaluateEvery: 5, batchSize: 11 };
  const alone = await tuned(tuner, { ...settings, cluster: oneProcess(11) });
  const { port, happened, coordinated, stop } = simulate({
    ...faultless,
    ...{ workers: 1000, rows: 11, passSeconds: 3, moveSeconds: 0.1, sigma: 1, latency: 0.001, patience: 2 },
    ...{ deaths: 0.1, twice: 0.1, late: 0.3, lateSeconds: 5, coordinatorDeaths: [1, 1500, 3333, 2800] },
  });
  expect(await coordinated(11, (cluster) => tuned(tuner, { ...settings, cluster }))).toEqual(alone);
  stop();
  const lines = (await port.lines("one")).map(({ text }) => JSON.parse(text));
  expect(lines.filter(({ losses }) => losses).map(({ step }) => step)).toEqual([...Array(10).keys()]);
  expect(happened.coordinatorDeaths).toBe(4);
  for (const count of [happened.deaths, happened.twice, happened.late, happened.pieces - 11_000])
    expect(count).toBeGreaterThan(100);
});
