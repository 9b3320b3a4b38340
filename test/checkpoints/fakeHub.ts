import { createHash } from "node:crypto";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** What a fake hub serves: files by revision, and pull requests as the hub lists them. */
export interface FakeHubOptions {
  readonly revisions: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly discussions?: readonly object[];
  /** Files of which only the first half is sent before the connection breaks. */
  readonly breaks?: readonly string[];
  /** Which ids are answered as a path. */
  readonly lies?: "commits" | "contents";
}

/** A hub on this machine: its address, and the requests that it has seen. */
export interface FakeHub {
  readonly hubUrl: string;
  readonly requests: string[];
}

/** Returns the id under which a fake hub serves a revision. */
export function commitOf(revision: string): string {
  return createHash("sha1").update(revision).digest("hex");
}

/** Starts a hub that knows one model, "org/tiny", and ends with the test. */
export async function startFakeHub(options: FakeHubOptions): Promise<FakeHub> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const url = decodeURIComponent(request.url ?? "");
    requests.push(url);
    answer(options, url, request.headers.range, response);
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { hubUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

function answer(options: FakeHubOptions, url: string, range: string | undefined, response: ServerResponse): void {
  const { lies } = options;
  const json = (value: unknown) => response.setHeader("Content-Type", "application/json").end(JSON.stringify(value));
  const revision = Object.keys(options.revisions).find(
    (name) => url.includes(`/revision/${name}?`) || url.includes(`/${commitOf(name)}`),
  );
  const files = options.revisions[revision ?? ""] ?? {};
  const [, name = ""] = /\/resolve\/\w+\/(.*)$/.exec(url) ?? [];
  if (!url.includes("org/tiny")) response.writeHead(404).end();
  else if (url.startsWith("/api/models/org/tiny/discussions")) json({ discussions: options.discussions ?? [] });
  else if (revision === undefined) response.writeHead(404).end();
  else if (url.startsWith("/api/models/org/tiny/revision/"))
    json({ id: "org/tiny", sha: lies === "commits" ? "../../x" : commitOf(revision) });
  else if (url.startsWith("/api/models/org/tiny/tree/"))
    json(Object.entries(files).map((file) => describe(file, lies === "contents")));
  else if (files[name] !== undefined) sendFile(files[name], range, options.breaks?.includes(name) ?? false, response);
  else response.writeHead(404).end();
}

function describe([path, content]: [string, string], lies: boolean): object {
  const oid = lies ? "../../x" : createHash("sha1").update(content).digest("hex");
  const lfs = path.endsWith(".safetensors") ? { oid: createHash("sha256").update(content).digest("hex") } : undefined;
  return { type: "file", path, size: content.length, oid, lfs };
}

function sendFile(content: string, range: string | undefined, breaks: boolean, response: ServerResponse): void {
  response.setHeader("ETag", '"etag"');
  if (range === "bytes=0-0") {
    response.writeHead(206, { "Content-Range": `bytes 0-0/${content.length}` }).end(content.slice(0, 1));
    return;
  }
  response.setHeader("Content-Length", content.length);
  if (!breaks) response.end(content);
  else response.write(content.slice(0, content.length / 2), () => setImmediate(() => response.destroy()));
}
