import { natsPort } from "../../src/cluster/join.ts";
import { readPiece, writeMessage } from "../../src/cluster/messages.ts";
import { KIT_VERSION, NOISE_VERSION } from "../../src/experiment/header.ts";
import { simulatedLosses } from "../cluster/simulation.ts";

/** What a process of stubs is told: how many it is to be, and for which run. */
export interface StubCall {
  readonly url: string;
  readonly workers: number;
  readonly run: string;
}

/** A worker that follows its run's lines and answers pieces, and computes nothing. */
async function answerPieces({ url, run }: StubCall, name: string): Promise<void> {
  const port = await natsPort(url);
  const { signal } = new AbortController();
  let base = "";
  void (async () => {
    for await (const { text } of port.follow(run, 0, signal)) base ||= JSON.parse(text).header.weightsHash;
  })();
  for (;;) {
    const taken = await port.take(run, signal);
    if (!taken) continue;
    const piece = readPiece(taken.text, run);
    const { step, pair, shard } = piece;
    while (base === "") await port.sleep(0.001);
    const made = { base, kit: KIT_VERSION, noise: NOISE_VERSION, ...simulatedLosses(piece) };
    await port.answer(piece, writeMessage({ run, step, pair, shard, worker: name, ...made }), name);
    await taken.done();
  }
}

process.on("message", (call: StubCall) => {
  for (let i = 0; i < call.workers; i++) void answerPieces(call, `stub-${process.pid}-${i}`);
});
process.on("disconnect", () => process.exit());
