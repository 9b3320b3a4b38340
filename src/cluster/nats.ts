import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { Consumer, JetStreamClient, JetStreamManager, JsMsg, StoredMsg } from "@nats-io/jetstream";
import type { ObjectStore } from "@nats-io/obj";
import type { NatsConnection } from "@nats-io/transport-node";
import { KitError } from "../error.ts";
import {
  BeingWritten,
  MOST_BYTES,
  type Offer,
  type PieceKey,
  type Port,
  type StoredAnswer,
  type StoredLine,
} from "./port.ts";

const [RUNS, WORK, RESULTS] = ["MEZO_RUNS", "MEZO_WORK", "MEZO_RESULTS"] as const;

const DAY = 24 * 3600 * 1e9;
/** Makes the streams, in files, where they are not there: runs are kept for a year, what belongs to their steps for a week. */
export async function addStreams({ streams }: JetStreamManager): Promise<void> {
  const common = { storage: "file", max_msg_size: MOST_BYTES, discard: "old" } as const;
  const once = { ...common, max_msgs_per_subject: 1, max_age: 7 * DAY, max_bytes: 2 ** 28 };
  await add({
    ...common,
    name: RUNS,
    subjects: ["mezo.run.*"],
    discard: "new",
    max_age: 365 * DAY,
    max_bytes: 2 ** 30,
  });
  await add({ ...once, name: WORK, subjects: ["mezo.work.>"], retention: "workqueue" });
  await add({ ...once, name: RESULTS, subjects: ["mezo.result.>"] });

  async function add(config: Parameters<typeof streams.add>[0]): Promise<void> {
    const isThere = await streams.info(config.name).then(Boolean, () => false);
    if (!isThere) await streams.add(config);
  }
}

/** A server with JetStream that a process is connected to. */
export interface Server {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  readonly client: JetStreamClient;
  readonly files: ObjectStore;
  /** Seconds until a piece that a worker has not ended is given to another. */
  readonly patience: number;
}

/** The port of a cluster on a server that has the streams. */
export function portOn(server: Server): Port {
  const { connection } = server;
  return {
    ...keepLines(server),
    ...handOut(server),
    ...keepFiles(server),
    report: async (run, text) => connection.publish(`mezo.report.${run}`, text),
    reports: (run, signal) => hear(connection, `mezo.report.${run}`, signal),
    answer: ({ run, step, pair, shard }, text) => publish(server, `mezo.result.${run}.${step}.${pair}.${shard}`, text),
    answers: async function* (run, signal): AsyncGenerator<StoredAnswer> {
      const since = (await lastLine(server, run))?.time;
      for await (const message of listen(server, RESULTS, {
        subject: `mezo.result.${run}.>`,
        behind: 0,
        ...(since && { since: new Date(since.getTime() - CLOCKS) }),
        signal,
      })) {
        const [step, pair, shard] = message.subject.split(".").slice(3).map(Number);
        yield { piece: { run, step: step!, pair: pair!, shard: shard! }, text: message.string() };
      }
    },
    sleep,
    close: () => connection.close(),
  };
}

/** Milliseconds by which the clocks of a cluster's servers may differ, or one's be set back. */
const CLOCKS = 60_000;

const sleep: Port["sleep"] = (seconds, signal) =>
  setTimeout(1e3 * seconds, undefined, signal && { signal }).catch(() => {});

const lineSubject = (run: string): string => `mezo.run.${run}`;

const lastLine = (server: Server, run: string): Promise<StoredMsg | null> =>
  persist(server, () => server.manager.streams.getMessage(RUNS, { last_by_subj: lineSubject(run) }));

function keepLines(server: Server): Pick<Port, "lines" | "follow" | "append"> {
  const { client } = server;
  const follow = async function* (run: string, behind: number, signal: AbortSignal): AsyncGenerator<StoredLine> {
    for await (const message of listen(server, RUNS, { subject: lineSubject(run), behind, signal }))
      yield { text: message.string(), place: message.seq };
  };
  return {
    follow,
    lines: async (run) => {
      const last = await lastLine(server, run);
      const found: StoredLine[] = [];
      const over = new AbortController();
      if (last)
        for await (const line of follow(run, 0, over.signal)) {
          found.push(line);
          if (line.place >= last.seq) break;
        }
      over.abort();
      return found;
    },
    append: async (run, text, place) => {
      checkSize(server, text);
      const msgID = randomUUID();
      const expect = { lastSubjectSequence: place };
      try {
        return (await persist(server, () => client.publish(lineSubject(run), text, { msgID, expect }))).seq;
      } catch (error) {
        if (codeOf(error) !== WRONG_LAST_SEQUENCE) throw error;
        const last = await lastLine(server, run);
        if (last?.header.get("Nats-Msg-Id") === msgID) return last.seq; // its acknowledgement was lost
        throw new BeingWritten(run);
      }
    },
  };
}

const [WRONG_LAST_SEQUENCE, CONSUMER_NOT_FOUND] = [10071, 10014];

const codeOf = (error: unknown): unknown => (error as { readonly code?: unknown }).code;

/** Seconds in which a worker waits for a piece before it looks around. */
const TURN = 5;

function handOut(server: Server): Pick<Port, "offer" | "offers" | "withdraw" | "publish" | "take"> {
  const { manager, client, patience } = server;
  const { streams, consumers } = manager;
  const bases = new Map<string, string>(); // what is offered stands in a queue's description: metadata are younger than many servers
  const queues = new Map<string, Promise<Consumer>>(); // found once: a piece is then a request and an answer
  const queueOf = (run: string): string => `run_${run}`;
  const subjectOf = ({ run, step, pair, shard }: PieceKey): string =>
    `mezo.work.${bases.get(run)}.${run}.${step}.${pair}.${shard}`;
  return {
    offer: async ({ run, kind, base }) => {
      bases.set(run, base);
      const subject = `mezo.work.${base}.${run}.>`;
      const queue = { durable_name: queueOf(run), description: `${kind} ${base}`, filter_subject: subject };
      const handing = {
        ack_policy: "explicit",
        ack_wait: patience * 1e9,
        max_deliver: -1,
        max_ack_pending: -1,
      } as const;
      await persist(server, () => consumers.add(WORK, { ...queue, ...handing }));
    },
    offers: () =>
      persist(server, async () => {
        const found: Offer[] = [];
        for await (const { name, config, num_pending } of consumers.list(WORK)) {
          const [kind, base = ""] = (config.description ?? "").split(" ");
          const run = name.slice(queueOf("").length);
          if (kind === "run" || kind === "table") found.push({ run, kind, base, waiting: num_pending });
        }
        return found;
      }),
    withdraw: async (run) => {
      await persist(server, () => consumers.delete(WORK, queueOf(run))).catch(unlessNotFound);
      await persist(server, () => streams.purge(WORK, { filter: `mezo.work.*.${run}.>` }));
      await persist(server, () => streams.purge(RESULTS, { filter: `mezo.result.${run}.>` }));
    },
    publish: (piece, text) => publish(server, subjectOf(piece), text),
    take: async (run, signal) => {
      if (signal.aborted) return undefined;
      try {
        const queue = queues.get(run) ?? client.consumers.get(WORK, queueOf(run));
        queues.set(run, queue);
        const message = await untilAborted((await queue).next({ expires: 1e3 * TURN }), signal);
        if (!message) return undefined;
        return { text: message.string(), keep: () => message.working(), done: async () => message.ack() };
      } catch (error) {
        queues.delete(run);
        if (codeOf(error) !== CONSUMER_NOT_FOUND && !isPassing(server, error)) throw error;
        await sleep(0.5, signal);
        return undefined;
      }
    },
  };
}

/** A bucket of files by the hashes of their contents. */
export const FILES = "mezo-data";

function keepFiles(server: Server): Pick<Port, "keepFile" | "file"> {
  const { files } = server;
  return {
    keepFile: (name, content) =>
      persist(server, async () => {
        if (!(await files.info(name))) await files.putBlob({ name }, content);
      }),
    file: async (name) => (await persist(server, () => files.getBlob(name))) ?? undefined,
  };
}

/** What is published from now on, until the signal aborts. */
async function* hear(connection: NatsConnection, subject: string, signal: AbortSignal): AsyncGenerator<string> {
  if (signal.aborted) return;
  const messages = connection.subscribe(subject);
  signal.addEventListener("abort", () => messages.unsubscribe(), { once: true });
  for await (const message of messages) if (message.data.length <= MOST_BYTES) yield message.string();
}

/** What a promise gives, or null as soon as the signal aborts: a piece that comes then is handed to another worker in time. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const end = (): void => resolve(null);
    signal.addEventListener("abort", end, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", end));
  });
}

function unlessNotFound(error: unknown): void {
  if (codeOf(error) !== CONSUMER_NOT_FOUND) throw error;
}

/** Bytes of a message that are left for its headers. */
const HEADERS = 256;

/** Throws a KitError for a text that the server would take no message of. */
function checkSize({ connection }: Server, text: string): void {
  const most = Math.min(MOST_BYTES, connection.info?.max_payload ?? MOST_BYTES) - HEADERS;
  const bytes = Buffer.byteLength(text);
  if (bytes <= most) return;
  throw new KitError(
    `A message of ${bytes} bytes was to be sent to the cluster, whose server takes at most ${most}: divide the batch among more shards, or start the server with a larger max_payload, up to ${MOST_BYTES}.`,
  );
}

async function publish(server: Server, subject: string, text: string): Promise<void> {
  checkSize(server, text);
  const msgID = randomUUID();
  await persist(server, () => server.client.publish(subject, text, { msgID }));
}

interface Source {
  readonly subject: string;
  /** Sequence number of the message behind which to begin. */
  readonly behind: number;
  /** When the first messages are from that are wanted; all are where it is left out. */
  readonly since?: Date;
  readonly signal: AbortSignal;
}

/** A stream's messages of a subject, those that are there and then each as it comes, until the signal aborts; a server that comes back is listened to again. */
async function* listen(
  server: Server,
  stream: string,
  { subject, behind, since, signal }: Source,
): AsyncGenerator<JsMsg> {
  for (let from = behind + 1; !signal.aborted; ) {
    const start =
      since && from === behind + 1
        ? ({ opt_start_time: since.toISOString(), deliver_policy: "by_start_time" } as const)
        : ({ opt_start_seq: from, deliver_policy: "by_start_sequence" } as const);
    const messages = await persist(server, async () =>
      (await server.client.consumers.get(stream, { filter_subjects: subject, ...start })).consume({
        idle_heartbeat: 1_000,
      }),
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
async function persist<T>(server: Server, attempt: () => Promise<T>): Promise<T> {
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
function isPassing({ connection }: Server, error: unknown): boolean {
  if (connection.isClosed() || !(error instanceof Error)) return false;
  const { status } = error as { readonly status?: unknown };
  return error.name === "JetStreamApiError" ? status === 503 : PASSING.includes(error.name);
}
