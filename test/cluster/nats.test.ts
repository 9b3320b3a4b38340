import { expect, test } from "vitest";
import { coordinate } from "../../src/cluster/coordinator.ts";
import { joinCluster, natsPort } from "../../src/cluster/join.ts";
import type { KitError } from "../../src/error.ts";
import { nSpsa } from "../../src/tuners/estimates.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { during, tuned } from "./run.ts";
import { freePort, hasServer, needsServer, startServer } from "./server.ts";

const zeroth = { lr: 1e-3, eps: 1e-2 };

test.skipIf(!hasServer)(
  `on NATS a run has the numbers and the weights of one process, by rows and by directions${needsServer}`,
  async () => {
    const alone = [await tuned(mezo(zeroth), { microBatchSize: 4 }), await tuned(nSpsa({ ...zeroth, n: 2 }), {})];
    const server = await startServer();
    const ports = await Promise.all([1, 2].map(() => natsPort(server.url)));
    const [byRows, byDirections] = [await joinCluster(server.url, { shards: 2 }), await joinCluster(server.url)];
    const refused: KitError[] = [];
    const together = await during(
      ports,
      async () => [
        await tuned(mezo(zeroth), { cluster: byRows }),
        await tuned(nSpsa({ ...zeroth, n: 2 }), { cluster: byDirections }),
      ],
      refused,
    );
    expect(together).toEqual(alone);
    expect(refused).toEqual([]);
    await Promise.all([...ports, byRows, byDirections].map((one) => one.close()));
    await server.kill();
  },
);

test.skipIf(!hasServer)(
  `on NATS of two that write a run's next line one is refused, and a repeated piece is there once${needsServer}`,
  async () => {
    const server = await startServer();
    const port = await natsPort(server.url);
    const first = await port.append("one", '{"a":1}', 0);
    await expect(port.append("one", '{"a":2}', 0)).rejects.toThrow(/another coordinator/);
    const second = await port.append("one", '{"a":3}', first);
    expect(await port.lines("one")).toEqual([
      { text: '{"a":1}', place: first },
      { text: '{"a":3}', place: second },
    ]);
    await port.offer({ kind: "run", run: "one", base: "b" });
    const piece = { run: "one", step: 0, pair: 0, shard: 0 };
    await port.publish(piece, "old");
    await port.publish(piece, "new");
    expect(await port.offers()).toEqual([{ run: "one", kind: "run", base: "b", waiting: 1 }]);
    expect((await port.take("one", new AbortController().signal))?.text).toBe("new");
    await port.withdraw("one");
    expect(await port.offers()).toEqual([]);
    await port.close();
    await server.kill();
  },
);

test("an address at which no NATS server answers, and one that is none, are refused in a sentence", async () => {
  await expect(joinCluster(`nats://user:secret@127.0.0.1:${await freePort()}`)).rejects.toThrow(
    /^The cluster at nats:\/\/127\.0\.0\.1:\d+ was to be joined, but no NATS server answers there/,
  );
  await expect(joinCluster("http://host")).rejects.toThrow(/is no address of a cluster/);
  expect(() => coordinate({} as never, { shards: 0 })).toThrow(/whole number of shards/);
});
