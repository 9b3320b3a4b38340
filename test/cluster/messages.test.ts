import { expect, test } from "vitest";
import { toRows, writeMessage } from "../../src/cluster/messages.ts";
import { KIT_VERSION, NOISE_VERSION } from "../../src/experiment/header.ts";

test("a step's messages take at most 10 KB: 16 sentences of 64 tokens in two shards, with token ids of five digits", () => {
  const ids = Int32Array.from({ length: 63 }, (_, i) => 50_000 + i);
  const candidates = [50_100, 50_200].map((answer) => ({ ids: Int32Array.of(...ids, answer), optionLength: 1 }));
  const shared = { ids, at: 62, answers: [50_100, 50_200] };
  const examples = Array.from({ length: 8 }, () => ({ candidates, shared }));
  const rows = toRows({ examples, gold: examples.map(() => [1]), texts: [], begin: "mezo" });
  const key = { run: "0123456789abcdef", step: 19_999, pair: 0, shard: 1 };
  const piece = writeMessage({ ...key, z: { seed: 1, step: 19_999, index: 0 }, known: [], loss: "candidates", rows });
  const made = { worker: "0".repeat(36), base: "0".repeat(16), kit: KIT_VERSION, noise: NOISE_VERSION };
  const answer = writeMessage({ ...key, ...made, lossPlus: 0.1234567890123456, lossMinus: 0.1234567890123456 });
  const line = 100; // as test/record/runFile.test.ts has it
  expect(2 * (piece.length + answer.length) + line).toBeLessThanOrEqual(10_000);
  expect(piece.length).toBeGreaterThan(8 * 63 * 5);
});
