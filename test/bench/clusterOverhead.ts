import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { coordinate } from "../../src/cluster/coordinator.ts";
import { natsPort } from "../../src/cluster/join.ts";
import type { LanguageModel } from "../../src/models/network.ts";
import type { Task } from "../../src/tasks/task.ts";
import type { TestServer } from "../cluster/server.ts";
import { counting, timeSteps } from "./clusterSteps.ts";
import type { ProxyCall } from "./latencyProxy.ts";
import type { StubCall } from "./stubWorkers.ts";

/** What a step costs that computes nothing. */
export interface OverheadPoint {
  readonly shards: number;
  /** Milliseconds that all bytes wait each way, between the server and everybody. */
  readonly latencyMs: number;
  /** The fastest and the middle one of the steps. */
  readonly stepMs: number;
  readonly medianMs: number;
  /** Of what is published: pieces, answers and the line. */
  readonly bytesPerStep: number;
  /** Of all that passes the server's connections, both ways, with NATS's own words. */
  readonly wireBytesPerStep: number;
}

const STEPS = 10;

/** Measures steps of 16 rows x 64 tokens on a server behind a latency, with workers in two processes of their own that answer at once. */
export async function measureOverhead(
  { model, task, server }: { readonly model: LanguageModel; readonly task: Task; readonly server: TestServer },
  { shards, latencyMs }: Pick<OverheadPoint, "shards" | "latencyMs">,
): Promise<OverheadPoint> {
  const children: ChildProcess[] = [];
  const run = `overhead-${shards}-${String(latencyMs).replace(".", "_")}`;
  const start = (name: string): ChildProcess => {
    const child = fork(resolve(import.meta.dirname, name), { stdio: "inherit" });
    children.push(child);
    return child;
  };
  const proxy = start("latencyProxy.js");
  const ask = async (call: ProxyCall): Promise<number> => {
    proxy.send(call);
    return (await once(proxy, "message"))[0];
  };
  const url = `nats://127.0.0.1:${await ask({ port: Number(new URL(server.url).port), latencyMs })}`;
  for (const workers of [Math.ceil(shards / 2), Math.floor(shards / 2)])
    if (workers > 0) start("stubWorkers.js").send({ url, workers, run } satisfies StubCall);
  const port = await natsPort(url);
  const counted = counting(port);
  try {
    const marks: Promise<readonly [payload: number, wire: number]>[] = [];
    const mark = async (): Promise<readonly [number, number]> => [counted.bytes(), await ask("bytes")];
    const onStep = (step: number): void => {
      if (step === 0 || step === STEPS - 1) marks.push(mark());
    };
    const cluster = coordinate(counted.port, { shards, run });
    const seconds = await timeSteps(model, task, { steps: STEPS, rows: 16, cluster, onStep });
    const sorted = seconds.toSorted((a, b) => a - b);
    const [first, last] = await Promise.all(marks);
    return {
      ...{ shards, latencyMs, stepMs: 1e3 * sorted[0]!, medianMs: 1e3 * sorted[sorted.length >> 1]! },
      bytesPerStep: Math.round((last![0] - first![0]) / (STEPS - 1)),
      wireBytesPerStep: Math.round((last![1] - first![1]) / (STEPS - 1)),
    };
  } finally {
    for (const child of children) child.kill();
    await port.close();
  }
}
