import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

/** Debian's nats-server is in a folder that not every user's PATH has. */
const PATH = `${process.env.PATH}:/usr/sbin`;

/** Whether there is a NATS server to be started here. */
export const hasServer: boolean = spawnSync("nats-server", ["--version"], { env: { PATH } }).status === 0;

/** What the names of tests say where there is none. */
export const needsServer: string = hasServer ? "" : " (Debian: nats-server is not here)";

/** A NATS server with JetStream of a test's own. */
export interface TestServer {
  readonly url: string;
  /** Kills it as a power cut would, and starts it again on the same files. */
  restart(): Promise<void>;
  kill(): Promise<void>;
}

/** Starts a server on a free port, with its files in a folder of its own. */
export async function startServer(options: readonly string[] = []): Promise<TestServer> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "nats-"));
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    const all = ["-a", "127.0.0.1", "-p", String(port), "-js", "-sd", folder, ...options];
    child = spawn("nats-server", all, { env: { PATH }, stdio: "ignore" });
    while (!(await answers(port))) await setTimeout(50);
  };
  const kill = async (): Promise<void> => {
    const gone = once(child!, "exit");
    child!.kill("SIGKILL");
    await gone;
  };
  await start();
  const restart = async (): Promise<void> => {
    await kill();
    await start();
  };
  return { url: `nats://127.0.0.1:${port}`, restart, kill };
}

/** A port that nobody listens at. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
