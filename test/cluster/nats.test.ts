import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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

/** A file of settings for nats-server. */
function configured(text: string): string[] {
  const file = join(mkdtempSync(join(tmpdir(), "nats-")), "nats.conf");
  writeFileSync(file, text);
  return ["-c", file];
}

test.skipIf(!hasServer)(
  `on NATS a message of just under 1 MB goes, and one that the server would take no more is refused in a sentence${needsServer}`,
  async () => {
    for (const [options, most] of [
      [[], 2 ** 20],
      [configured("max_payload: 4096"), 4096],
      [configured("max_payload: 8388608"), 2 ** 20],
    ] as const) {
      const server = await startServer(options);
      const port = await natsPort(server.url);
      await port.offer({ run: "one", kind: "run", base: "b" });
      const piece = { run: "one", step: 0, pair: 0, shard: 0 };
      const text = "x".repeat(most - 256);
      await port.publish(piece, text);
      expect((await port.take("one", new AbortController().signal))?.text).toBe(text);
      const refused = new RegExp(`^A message of ${most - 255} bytes .* takes at most ${most - 256}: divide the batch`);
      await expect(port.publish({ ...piece, shard: 1 }, `${text}x`)).rejects.toThrow(refused);
      await expect(port.append("one", `${text}x`, 0)).rejects.toThrow(refused);
      expect(await port.lines("one")).toEqual([]);
      expect(await port.offers()).toEqual([{ run: "one", kind: "run", base: "b", waiting: 0 }]);
      await port.close();
      await server.kill();
    }
  },
);

test.skipIf(!hasServer)(
  `on NATS a run whose steps do not fit into the server's messages ends in a sentence, and is offered no more${needsServer}`,
  async () => {
    const server = await startServer(configured("max_payload: 2048"));
    const cluster = await joinCluster(server.url, { shards: 1 });
    const big = tuned(mezo(zeroth), { batchSize: 22, cluster });
    await expect(big).rejects.toThrow(
      /^A message of \d+ bytes .* more shards, or start the server with a larger max_payload/,
    );
    expect(await cluster.port.offers()).toEqual([]);
    await cluster.close();
    await server.kill();
  },
);

test.skipIf(!hasServer)(
  `on NATS whoever came back to a run hears its answers, those since its last line and those after the server's restart${needsServer}`,
  async () => {
    const server = await startServer();
    const port = await natsPort(server.url);
    const pieceOf = (step: number) => ({ run: "one", step, pair: 0, shard: 0 });
    await port.append("one", '{"a":1}', 0);
    await port.answer(pieceOf(0), "before", "w");
    const over = new AbortController();
    const answers = port.answers("one", over.signal)[Symbol.asyncIterator]();
    expect((await answers.next()).value).toEqual({ piece: pieceOf(0), text: "before" });
    const next = answers.next();
    await server.restart();
    await port.answer(pieceOf(1), "after", "w");
    expect((await next).value).toEqual({ piece: pieceOf(1), text: "after" });
    over.abort();
    await port.close();
    await server.kill();
  },
);

test.skipIf(!hasServer)(`a server without room for runs is refused in a sentence${needsServer}`, async () => {
  const server = await startServer(configured("jetstream: { max_file_store: 1048576 }"));
  await expect(natsPort(server.url)).rejects.toThrow(
    /its server cannot keep runs \(.*\): start nats-server with -js, and with room/,
  );
  await server.kill();
});

test("an address at which no NATS server answers, and one that is none, are refused in a sentence", async () => {
  await expect(joinCluster(`nats://user:secret@127.0.0.1:${await freePort()}`)).rejects.toThrow(
    /^The cluster at nats:\/\/127\.0\.0\.1:\d+ was to be joined, but no NATS server answers there/,
  );
  await expect(joinCluster("http://host")).rejects.toThrow(/is no address of a cluster/);
  expect(() => coordinate({} as never, { shards: 0 })).toThrow(/whole number of shards/);
});
