import { createHash } from "node:crypto";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/**
 * What a fake hub does to a request instead of answering it: sends the first half and closes the connection, or says nothing more; sends
 * content with one letter changed, or longer; ignores ranges and starts the file over, and may cut that too; answers another status; or redirects to another hub.
 */
export type Fault =
  | "cut"
  | "stall"
  | "tamper"
  | "longer"
  | "restart"
  | "cut restart"
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | { readonly redirect: string };

/** What a file of a fake hub holds. */
type Content = string | Buffer;

/** What a fake hub serves: the files of one repository, by revision. */
export interface FakeHubOptions {
  readonly revisions: Readonly<Record<string, Readonly<Record<string, Content>>>>;
  /** What the repository is; a model by default. */
  readonly type?: "model" | "dataset";
  /** The most files that one answer lists; the next ones are at the address that its Link header names. */
  readonly pageSize?: number;
  /** What it does to the requests for a file, or for whatever is no file ("api"), one after another; it answers those that follow. */
  readonly faults?: Readonly<Record<string, readonly Fault[]>>;
  /** The token without which no file is given. */
  readonly token?: string;
  /** A name of the repository without its owner, which the hub sends on. */
  readonly alias?: string;
  /** Which ids are answered as a path. */
  readonly lies?: "commits" | "contents";
}

/** A request as it came. */
export interface Seen {
  readonly url: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

/** A hub on this machine: its address, and the requests that it has seen. */
export interface FakeHub {
  readonly hubUrl: string;
  readonly requests: Seen[];
}

/** Returns the id under which a fake hub serves a revision. */
export function commitOf(revision: string): string {
  return createHash("sha1").update(revision).digest("hex");
}

/** Starts a hub that knows one repository, "org/tiny", and ends with the test. */
export async function startFakeHub(options: FakeHubOptions): Promise<FakeHub> {
  const requests: Seen[] = [];
  const faults = new Map(Object.entries(options.faults ?? {}).map(([name, list]) => [name, [...list]]));
  const server = createServer((request, response) => {
    const url = decodeURIComponent(request.url ?? "");
    const seen = { url, range: request.headers.range, authorization: request.headers.authorization };
    requests.push(seen);
    answer(options, seen, faults.get(fileIn(url) || "api")?.shift(), response);
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { hubUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

const fileIn = (url: string): string => /\/resolve\/\w+\/(.*)$/.exec(url)?.[1] ?? "";

function answer(options: FakeHubOptions, seen: Seen, fault: Fault | undefined, response: ServerResponse): void {
  const { url } = seen;
  const { lies, token, alias, type = "model", pageSize = Number.POSITIVE_INFINITY } = options;
  const [api, files] = [`/api/${type}s/org/tiny`, type === "model" ? "/org/tiny" : "/datasets/org/tiny"];
  const json = (value: unknown) =>
    send(JSON.stringify(value), fault, response.setHeader("Content-Type", "application/json"));
  const revision = Object.keys(options.revisions).find(
    (name) => url.includes(`/revision/${name}?`) || url.includes(`/${commitOf(name)}`),
  );
  const content = options.revisions[revision ?? ""]?.[fileIn(url)];
  if (typeof fault === "object" && "status" in fault) response.writeHead(fault.status, fault.headers).end();
  else if (typeof fault === "object") response.writeHead(302, { Location: fault.redirect + url }).end();
  else if (alias && url.includes(`/${alias}/`))
    response.writeHead(307, { Location: url.replace(`/${alias}/`, "/org/tiny/") }).end();
  else if (!url.startsWith(`${api}/`) && !url.startsWith(`${files}/`)) response.writeHead(404).end();
  else if (revision === undefined) response.writeHead(404, { "X-Error-Code": "RevisionNotFound" }).end();
  else if (url.startsWith(`${api}/revision/`))
    json({ id: "org/tiny", sha: lies === "commits" ? "../../x" : commitOf(revision) });
  else if (url.startsWith(`${api}/tree/`)) {
    const all = Object.entries(options.revisions[revision]!).map((file) => describe(file, lies === "contents"));
    const from = Number(/[?&]from=(\d+)/.exec(url)?.[1] ?? 0);
    const next = `http://${response.req.headers.host}${api}/tree/${commitOf(revision)}?from=${from + pageSize}`;
    if (from + pageSize < all.length) response.setHeader("Link", `<${next}>; rel="next"`);
    json(all.slice(from, from + pageSize));
  } else if (content === undefined) response.writeHead(404).end();
  else if (token !== undefined && seen.authorization !== `Bearer ${token}`)
    response.writeHead(seen.authorization ? 403 : 401, { "X-Error-Code": "GatedRepo" }).end();
  else sendFile(content, seen.range, fault, response);
}

function describe([path, content]: [string, Content], lies: boolean): object {
  const oid = lies ? "../../x" : createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
  const lfs = /\.(safetensors|bin|gguf|parquet)$/.test(path)
    ? { oid: createHash("sha256").update(content).digest("hex") }
    : undefined;
  return { type: "file", path, size: content.length, oid, lfs };
}

function sendFile(
  content: Content,
  range: string | undefined,
  fault: Fault | undefined,
  response: ServerResponse,
): void {
  const from = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
  const whole = from === 0 || fault === "restart" || fault === "cut restart";
  if (!whole) response.writeHead(206, { "Content-Range": `bytes ${from}-${content.length - 1}/${content.length}` });
  send(content.slice(whole ? 0 : from) as Content, fault, response);
}

function send(content: Content, fault: Fault | undefined, response: ServerResponse): void {
  const half = content.slice(0, Math.ceil(content.length / 2));
  if (fault === "cut" || fault === "cut restart") response.write(half, () => response.socket?.end());
  else if (fault === "stall") response.write(half);
  else if (fault === "tamper") response.end(`?${content.slice(1)}`);
  else if (fault === "longer") response.end(`${content}!`);
  else response.end(content);
}
