import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { type ConnectionOptions, checkServerIdentity } from "node:tls";
import type { NodeConnectionOptions } from "@nats-io/transport-node";
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
 * How to log in is said as the `nats` command has it: by NATS_CREDS (a credentials file), NATS_TOKEN, or a user and password (or a token) in the
 * address; with TLS by an address of tls://, NATS_CA, NATS_CERT and NATS_KEY. Throws a KitError where no such server lets one in.
 */
export async function joinCluster(url: string, options: CoordinateOptions & NatsOptions = {}): Promise<JoinedCluster> {
  const { patience, ...own } = options;
  const port = await natsPort(url, patience === undefined ? {} : { patience });
  try {
    return { ...coordinate(port, own), port, close: () => port.close() };
  } catch (error) {
    await port.close(); // options that do not fit: an open connection would keep the process alive
    throw error;
  }
}

/** The port of a cluster on a NATS server, for `work`. Throws as `joinCluster` does. */
export async function natsPort(url: string, { patience = 30 }: NatsOptions = {}): Promise<Port> {
  const [core, jetstream, { Objm }] = await Promise.all([
    import("@nats-io/transport-node"),
    import("@nats-io/jetstream"),
    import("@nats-io/obj"),
  ]);
  const credentials = readCredentials();
  const login = credentials && { authenticator: core.credsAuthenticator(credentials) };
  const address = { ...addressOf(url), ...login };
  const connection = await core.connect(address).catch((error: unknown) => {
    throw new KitError(`The cluster at ${hostOf(url)} was to be joined, but ${whyRefused(error)}.`);
  });
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
const hostOf = (url: string): string => url.replace(/^(\w+:\/\/)?.*@/s, "$1");

/** Why a server was not joined, and what to do. */
function whyRefused(error: unknown): string {
  const { name, code = "" } = error as { readonly name?: string; readonly code?: string };
  const found = `(${reason(error)})`;
  if (name === "AuthorizationError")
    return `its server refused the login ${found}: set NATS_CREDS or NATS_TOKEN, or put a user and password into the address`;
  if (/CERT|SIGNATURE/.test(code))
    return `its certificate is not to be trusted ${found}: set NATS_CA to the file of the authority that signed it`;
  return `no NATS server answers there ${found}: start one with nats-server -js, or give its address (nats:// of one without TLS); where it asks for certificates, set NATS_CERT and NATS_KEY`;
}

/** Where to connect, and how. Throws a KitError for an address that is none. */
function addressOf(url: string): NodeConnectionOptions {
  const { NATS_TOKEN: token } = process.env;
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !["nats:", "tls:"].includes(parsed.protocol) || parsed.hostname === "") throw noAddress(url);
  const tls = { ...readCertificates(), ...identityOf(parsed) };
  return {
    servers: parsed.host,
    ...(token && { token }),
    ...userOf(url, parsed),
    ...((parsed.protocol === "tls:" || "ca" in tls || "cert" in tls) && { tls }),
    ...{ name: "mezo-kit", maxReconnectAttempts: -1, reconnectTimeWait: 300, pingInterval: 5_000, timeout: 5_000 },
  };
}

/** Has the certificate of a server that is named by its number checked for that number; NATS's client would look for "localhost". */
function identityOf({ hostname }: URL): Pick<ConnectionOptions, "checkServerIdentity"> {
  const number = hostname.replace(/^\[|\]$/g, "");
  return isIP(number) ? { checkServerIdentity: (_, certificate) => checkServerIdentity(number, certificate) } : {};
}

const noAddress = (url: string): KitError =>
  new KitError(`"${hostOf(url)}" is no address of a cluster: give one such as nats://host:4222.`);

/** Who logs in by the address: a user with a password, or a token alone. */
function userOf(url: string, { username, password }: URL): Pick<NodeConnectionOptions, "user" | "pass" | "token"> {
  try {
    const [user, pass] = [decodeURIComponent(username), decodeURIComponent(password)];
    return user === "" ? {} : pass === "" ? { token: user } : { user, pass };
  } catch {
    throw noAddress(url);
  }
}

/** The credentials file of NATS_CREDS. Throws a KitError for a file that is none. */
function readCredentials(): Buffer | undefined {
  const file = readNamed("NATS_CREDS");
  if (file === undefined || /NATS USER JWT[\s\S]*USER NKEY SEED/.test(file.toString())) return file;
  throw new KitError(
    "NATS_CREDS names a file that has no credentials in it: give the one that nsc made for this user.",
  );
}

/** The files of NATS_CA, NATS_CERT and NATS_KEY. Throws a KitError for those that are none, or do not go together. */
function readCertificates(): { readonly ca?: string; readonly cert?: string; readonly key?: string } {
  const [ca, cert, key] = ["NATS_CA", "NATS_CERT", "NATS_KEY"].map((name) => readNamed(name)?.toString());
  const files = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  try {
    if (ca) new X509Certificate(ca);
    if (cert && key && new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return files;
  } catch {
    throw noCertificates();
  }
  if (cert || key) throw noCertificates();
  return files;
}

const noCertificates = (): KitError =>
  new KitError(
    "NATS_CA is to name the certificate of an authority, and NATS_CERT and NATS_KEY a certificate and its key, all in PEM, but what they name is not that: correct them, or unset them.",
  );

/** The file that an environment variable names, where it is set. Throws a KitError for one that cannot be read. */
function readNamed(variable: string): Buffer | undefined {
  const path = process.env[variable];
  if (!path) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    throw new KitError(`${variable} names ${path}, which cannot be read (${reason(error)}): correct or unset it.`);
  }
}
