import { AsyncLocalStorage } from "node:async_hooks";
import { createRequire } from "node:module";
import { cellInterrupt, turns } from "./cellInterrupt.ts";
import {
  type Failure,
  type MergedStreams,
  mergedStreams,
  reported,
  SILENT,
  type StreamName,
  writer,
} from "./streams.ts";
import { jupyter, startKernel } from "./tslab.ts";

/**
 * Starts tslab's kernel for Jupyter with what it lacks: no output is lost, cells have counts and error texts, and Interrupt aborts a signal
 * that the kit's loops look at.
 */
// As cells import it, and before any: Interrupt in the middle of that would leave the kit half loaded for good.
const load = createRequire(import.meta.url);
for (const kit of ["mezo-kit", "mezo-kit/notebook"]) load(kit);

const printValue = console.log;
const printError = console.error;
let failure: Failure | undefined;
export let stopWaiting = (): void => {};
const interrupt = cellInterrupt(() => stopWaiting());
/** What the cell that runs, or ran last, writes. */
let streams: MergedStreams | undefined;
/** What a cell's own code writes, its timers after its end included. */
const ownStreams = new AsyncLocalStorage<MergedStreams | undefined>();
/** Settles when the cell before has been answered. */
let answered: Promise<unknown> = Promise.resolve();

// Before any cell runs: a listener that is added in a cell makes the next Interrupt end the kernel.
process.on("SIGINT", interrupt.press);
process.on("exit", () => streams?.flush());

const server = jupyter.ZmqServer.prototype;
const { bindSocket, handleShutdown } = server;
server.bindSocket = function (socket: { sendTimeout: number; sendHighWaterMark: number }, port: number) {
  socket.sendTimeout = 0; // never waits, so that no send is refused meanwhile
  socket.sendHighWaterMark = 0; // never drops
  return bindSocket.call(this, socket, port);
};
server.handleShutdown = function (...args: unknown[]) {
  streams?.flush();
  return handleShutdown.apply(this, args);
};

// biome-ignore lint/suspicious/noExplicitAny: Jupyter's messages, as tslab has them, without types.
server.handleExecute = async function (socket: any, message: any) {
  const { handler, iopub, connInfo } = this;
  const reply = (type: string, content: object, to: unknown): void => {
    const answer = message.createReply();
    answer.header.msg_type = type;
    answer.content = content;
    answer.signAndSend(connInfo.key, to);
  };
  const written = mergedStreams((name, text) => reply("stream", { name, text }, iopub));
  const before = answered;
  // The queue runs a cell at a time: this one is announced when its turn comes, after the one before it has made the kernel idle.
  const announce = async (): Promise<void> => {
    await before;
    await turns();
    streams?.flush();
    streams = written;
    failure = undefined;
    this.publishStatus("busy", message);
    reply("execute_input", { code: message.content.code, execution_count: handler.execCount + 1 }, iopub);
  };
  handler.execQueue.add(announce).catch(() => {});
  const run = handler.handleExecute(message.content, written.write, (data: object, isUpdate: boolean) => {
    written.flush();
    reply(isUpdate ? "update_display_data" : "display_data", data, iopub);
  });
  const answer = async (): Promise<void> => {
    const content = await run;
    await turns();
    written.flush();
    if (content.status === "error") {
      Object.assign(content, failure ?? SILENT);
      const { ename, evalue, traceback } = content;
      reply("error", { ename, evalue, traceback }, iopub);
    } else if (content.status === "abort") content.status = "aborted";
    else Object.assign(content, { user_expressions: {}, payload: [] });
    reply("execute_reply", content, socket);
  };
  answered = answer();
  await answered;
};

const handler = jupyter.JupyterHandlerImpl.prototype;
const { handleExecuteImpl } = handler;
handler.createWriteToIopub = (name: StreamName, write: (name: StreamName, text: string) => void) =>
  writer((text) => (ownStreams.getStore()?.write ?? write)(name, text));
// It returns a cell's count, and throws it where the cell failed.
handler.handleExecuteImpl = async function (...args: unknown[]) {
  let count: unknown;
  try {
    const cell = (): Promise<unknown> => handleExecuteImpl.apply(this, args);
    await interrupt.during(async () => {
      count = await ownStreams.run(streams, cell);
    });
  } catch (error) {
    if (count === undefined) throw error;
    failure = reported(failure, [error]);
    throw count;
  }
  return count;
};

// startKernel hands these two to what runs the cells.
console.error = (...args: unknown[]) => {
  failure = reported(failure, args.map(interrupt.explain));
};
startKernel({ configPath: process.argv[2], enableFindLocal: false, jsKernel: false });
console.log = printValue;
console.error = printError;
stopWaiting = process.listeners("SIGINT").at(-1) as () => void;
process.off("SIGINT", stopWaiting);
