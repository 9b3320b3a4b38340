import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { JetStreamClient, JetStreamManager, JsMsg } from "@nats-io/jetstream";
import type { ObjectStore } from "@nats-io/obj";
import type { NatsConnection } from "@nats-io/transport-node";
import { KitError } from "../error.ts";
import { MOST_BYTES, type Port } from "./port.ts";

/** A server with JetStream that a process is connected to. */
export interface Server {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  readonly client: JetStreamClient;
  readonly files: ObjectStore;
  /** Seconds until a piece that a worker has not ended is given to another. */
  readonly patience: number;
}

/** Waits by the system's clock. */
export const sleep: Port["sleep"] = (seconds, signal) =>
  setTimeout(1e3 * seconds, undefined, signal && { signal }).catch(() => {});

/** The number of the error that another message was kept meanwhile. */
export const WRONG_LAST_SEQUENCE = 10071;
/** That of a queue that is gone. */
export const CONSUMER_NOT_FOUND = 10014;

/** The number of a server's error. */
export const codeOf = (error: unknown): unknown => (error as { readonly code?: unknown }).code;

/** What is published from now on, until the signal aborts. */
export async function* hear(connection: NatsConnection, subject: string, signal: AbortSignal): AsyncGenerator<string> {
  if (signal.aborted) return;
  const messages = connection.subscribe(subject);
  signal.addEventListener("abort", () => messages.unsubscribe(), { once: true });
  for await (const message of messages) if (message.data.length <= MOST_BYTES) yield message.string();
}

/** Bytes of a message that are left for its headers. */
const HEADERS = 256;

/** Throws a KitError for a text that the server would take no message of. */
export function checkSize({ connection }: Server, text: string): void {
  const most = Math.min(MOST_BYTES, connection.info?.max_payload ?? MOST_BYTES) - HEADERS;
  const bytes = Buffer.byteLength(text);
  if (bytes <= most) return;
  throw new KitError(
    `A message of ${bytes} bytes was to be sent to the cluster, whose server takes at most ${most}: divide the batch among more shards, or start the server with a larger max_payload, up to ${MOST_BYTES}.`,
  );
}

/** Publishes a text, and returns once the server has kept it. Throws a KitError for one that it would not take. */
export async function publish(server: Server, subject: string, text: string): Promise<void> {
  checkSize(server, text);
  const msgID = randomUUID();
  await persist(server, () => server.client.publish(subject, text, { msgID }));
}

interface Source {
  readonly subject: string;
  /** Sequence number of the message behind which to begin. */
  readonly behind: number;
  readonly signal: AbortSignal;
}

/** A stream's messages of a subject, those that are there and then each as it comes, until the signal aborts; a server that comes back is listened to again. */
export async function* listen(
  server: Server,
  stream: string,
  { subject, behind, signal }: Source,
): AsyncGenerator<JsMsg> {
  for (let from = behind + 1; !signal.aborted; ) {
    const options = { filter_subjects: subject, opt_start_seq: from, deliver_policy: "by_start_sequence" } as const;
    const messages = await persist(server, async () =>
      (await server.client.consumers.get(stream, options)).consume({ idle_heartbeat: 1_000 }),
    );
    const close = (): void => void messages.close();
    signal.addEventListener("abort", close, { once: true });
    try {
      for await (const message of messages) {
        if (signal.aborted) return;
        if (message.seq < from) continue;
        from = message.seq + 1;
        yield message;
      }
    } catch (error) {
      if (!isPassing(server, error)) throw error;
      await sleep(0.3, signal);
    } finally {
      signal.removeEventListener("abort", close);
      close();
    }
  }
}

/** Does something again as long as the server is away. Throws a KitError where the connection has ended. */
export async function persist<T>(server: Server, attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (server.connection.isClosed()) throw new KitError("The connection to the cluster was closed: join it again.");
      if (!isPassing(server, error)) throw explain(error);
      await sleep(0.3);
    }
  }
}

const EXPECTED: readonly unknown[] = [WRONG_LAST_SEQUENCE, CONSUMER_NOT_FOUND];

/** What the server said no to, as a KitError; another error, and one that whoever asked knows what to do about, as it is. */
function explain(error: unknown): unknown {
  const { name, message } = error as Error;
  if (name !== "JetStreamApiError" || EXPECTED.includes(codeOf(error))) return error;
  return new KitError(
    `The cluster's server refused what it was asked (${message}): see how much its streams hold, and what this user may do there.`,
  );
}

const PASSING: readonly string[] = [
  ...["ConnectionError", "RequestError", "TimeoutError", "NoResponders"],
  ...["JetStreamError", "JetStreamStatusError", "JetStreamNotEnabled"],
];

/** Whether waiting may mend an error: the server is away, or is starting. */
export function isPassing({ connection }: Server, error: unknown): boolean {
  if (connection.isClosed() || !(error instanceof Error)) return false;
  const { status } = error as { readonly status?: unknown };
  return error.name === "JetStreamApiError" ? status === 503 : PASSING.includes(error.name);
}
