import { connect, createServer, type Socket } from "node:net";

/** What a proxy is told: the server's port, and milliseconds that all bytes wait each way. It says its own port, and its bytes so far when asked. */
export type ProxyCall = { readonly port: number; readonly latencyMs: number } | "bytes";

let bytes = 0;

/** Passes on what comes, in its order, each part so many milliseconds after it came. */
function passOn(from: Socket, to: Socket, latencyMs: number): void {
  const waiting: { readonly due: number; readonly part: Buffer }[] = [];
  const pass = (): void => {
    while (waiting[0] && performance.now() >= waiting[0].due) to.write(waiting.shift()!.part);
    if (waiting[0]) soon(waiting[0].due - performance.now(), pass);
  };
  from.on("data", (part: Buffer) => {
    bytes += part.length;
    if (waiting.push({ due: performance.now() + latencyMs, part }) === 1) pass();
  });
  const end = (): void => void to.destroy();
  from.on("close", end).on("error", end);
}

/** Timers are of whole milliseconds, mostly late: the last two are waited for turn by turn. */
function soon(ms: number, then: () => void): void {
  if (ms > 2) setTimeout(then, ms - 2);
  else setImmediate(then);
}

process.on("message", (call: ProxyCall) => {
  if (call === "bytes") {
    process.send!(bytes);
    return;
  }
  const { port, latencyMs } = call;
  const server = createServer((client) => {
    const behind = connect(port, "127.0.0.1");
    for (const socket of [client, behind]) socket.setNoDelay(true);
    passOn(client, behind, latencyMs);
    passOn(behind, client, latencyMs);
  }).listen(0, "127.0.0.1", () => process.send!((server.address() as { port: number }).port));
});
process.on("disconnect", () => process.exit());
