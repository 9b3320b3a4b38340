import { randomUUID } from "node:crypto";
import type { Consumer, JetStreamManager, StoredMsg } from "@nats-io/jetstream";
import {
  BeingWritten,
  MOST_BYTES,
  type Offer,
  type PieceKey,
  type Port,
  type StoredAnswer,
  type StoredLine,
} from "./port.ts";
import {
  CONSUMER_NOT_FOUND,
  checkSize,
  codeOf,
  hear,
  isPassing,
  listen,
  persist,
  publish,
  type Server,
  sleep,
  WRONG_LAST_SEQUENCE,
} from "./server.ts";

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
      for await (const message of listen(server, RESULTS, { subject: `mezo.result.${run}.>`, behind: 0, signal })) {
        const [step, pair, shard] = message.subject.split(".").slice(3).map(Number);
        yield { piece: { run, step: step!, pair: pair!, shard: shard! }, text: message.string() };
      }
    },
    sleep,
    close: () => connection.close(),
  };
}

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
