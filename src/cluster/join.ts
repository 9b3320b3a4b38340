import { readFileSync } from "node:fs";
import type { NatsConnection, NodeConnectionOptions } from "@nats-io/transport-node";
import { KitError } from "../error.ts";
import type { Cluster } from "../experiment/tuneOptions.ts";
import { type CoordinateOptions, coordinate } from "./coordinator.ts";
import { addStreams, FILES, portOn } from "./nats.ts";
import type { Port } from "./port.ts";

/** Settings of a cluster on a NATS server. */
export interface NatsOptions {
  /** Seconds until a piece that a worker has not ended is given to another; 30 where it is left out. More than a worker needs for one. */
  readonly patience?: number;
}

/** A cluster that `tune` has its steps computed by, with the port behind it. */
export interface JoinedCluster extends Cluster {
  readonly port: Port;
  /** Ends the connection. */
  close(): Promise<void>;
}

/**
 * Joins the cluster of a NATS server with JetStream, such as "nats://host:4222": `tune(model, task, tuner, { cluster })` has its steps computed there.
 * How to log in is said as the `nats` command has it: by NATS_CREDS (a credentials file), NATS_TOKEN, or a user and password in the
 * address; with TLS by an address of tls://, NATS_CA, NATS_CERT and NATS_KEY. Throws a KitError where no such server answers.
 */
export async function joinCluster(url: string, options: CoordinateOptions & NatsOptions = {}): Promise<JoinedCluster> {
  const { patience, ...own } = options;
  const port = await natsPort(url, patience === undefined ? {} : { patience });
  return { ...coordinate(port, own), port, close: () => port.close() };
}

/** The port of a cluster on a NATS server, for `work`. Throws as `joinCluster` does. */
export async function natsPort(url: string, { patience = 30 }: NatsOptions = {}): Promise<Port> {
  const [core, jetstream, { Objm }] = await Promise.all([
    import("@nats-io/transport-node"),
    import("@nats-io/jetstream"),
    import("@nats-io/obj"),
  ]);
  const login =
    process.env.NATS_CREDS === undefined
      ? {}
      : { authenticator: core.credsAuthenticator(readFileSync(process.env.NATS_CREDS)) };
  let connection: NatsConnection;
  try {
    connection = await core.connect({ ...addressOf(url), ...login });
  } catch (error) {
    throw new KitError(
      `The cluster at ${hostOf(url)} was to be joined, but no NATS server answers there (${reason(error)}): start one with nats-server -js, or give its address.`,
    );
  }
  try {
    const manager = await jetstream.jetstreamManager(connection);
    await addStreams(manager);
    const client = jetstream.jetstream(connection);
    const files = await new Objm(client).create(FILES, { ttl: 7 * 24 * 3600 * 1e9, max_bytes: 2 ** 30 });
    return portOn({ connection, manager, client, files, patience });
  } catch (error) {
    await connection.close();
    throw new KitError(
      `The cluster at ${hostOf(url)} was to be joined, but its server cannot keep runs (${reason(error)}): start nats-server with -js, and with room for 3 GB.`,
    );
  }
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The address without what logs in. */
const hostOf = (url: string): string => url.replace(/\/\/[^@/]*@/, "//");

/** Where to connect, and how. Throws a KitError for an address that is none. */
function addressOf(url: string): NodeConnectionOptions {
  const { NATS_TOKEN: token, NATS_CA: caFile, NATS_CERT: certFile, NATS_KEY: keyFile } = process.env;
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !["nats:", "tls:"].includes(parsed.protocol) || parsed.hostname === "")
    throw new KitError(`"${hostOf(url)}" is no address of a cluster: give one such as nats://host:4222.`);
  const { host, username: user, password: pass, protocol } = parsed;
  const files = { ...(caFile && { caFile }), ...(certFile && { certFile }), ...(keyFile && { keyFile }) };
  return {
    servers: host,
    ...(token && { token }),
    ...(user && { user: decodeURIComponent(user), pass: decodeURIComponent(pass) }),
    ...((protocol === "tls:" || caFile || certFile) && { tls: files }),
    ...{ name: "mezo-kit", maxReconnectAttempts: -1, reconnectTimeWait: 300, pingInterval: 5_000, timeout: 5_000 },
  };
}
