import { interruption, setCellSignal } from "./cellSignal.ts";
import { type Failure, reported, SILENT } from "./failure.ts";
import { jupyter, startKernel } from "./tslab.ts";

/**
 * Starts tslab's kernel for Jupyter with what it lacks: no output is lost, cells have counts and error texts, and Interrupt aborts a signal
 * that the kit's loops look at.
 */
const printValue = console.log;
const printError = console.error;
/** How long an interrupted cell has to end by itself. */
const GRACE_MILLISECONDS = 5000;
let failure: Failure | undefined;
let controller = new AbortController();
/** tslab's answer to Interrupt: the cell no longer waits, but what it waited for goes on behind the cells after it. */
let stopWaiting = (): void => {};

function renewSignal(): void {
  if (controller.signal.aborted) controller = new AbortController();
  setCellSignal(controller.signal);
}

/** Work that looks at the signal ends the cell with its own error; what does not, or a second Interrupt, leaves it to tslab. */
function interrupt(): void {
  if (controller.signal.aborted) {
    stopWaiting();
    return;
  }
  const interrupted = controller;
  controller.abort(interruption());
  setTimeout(() => void (controller === interrupted && stopWaiting()), GRACE_MILLISECONDS).unref();
}

// Before any cell runs: a listener that is added in a cell makes the next Interrupt end the kernel.
process.on("SIGINT", interrupt);
renewSignal();

const server = jupyter.ZmqServer.prototype;
const { bindSocket } = server;
server.bindSocket = function (socket: { sendTimeout: number; sendHighWaterMark: number }, port: number) {
  socket.sendTimeout = 0; // never waits, so that no send is refused meanwhile
  socket.sendHighWaterMark = 0; // never drops
  return bindSocket.call(this, socket, port);
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
  // The queue runs a cell at a time: this one is announced when its turn comes, after the one before it has made the kernel idle.
  const announce = async (): Promise<void> => {
    await new Promise((turn) => setImmediate(turn));
    failure = undefined;
    renewSignal();
    this.publishStatus("busy", message);
    reply("execute_input", { code: message.content.code, execution_count: handler.execCount + 1 }, iopub);
  };
  handler.execQueue.add(announce).catch(() => {});
  const content = await handler.handleExecute(
    message.content,
    (name: string, text: string) => reply("stream", { name, text }, iopub),
    (data: object, isUpdate: boolean) => reply(isUpdate ? "update_display_data" : "display_data", data, iopub),
  );
  if (content.status === "error") {
    Object.assign(content, failure ?? SILENT);
    const { ename, evalue, traceback } = content;
    reply("error", { ename, evalue, traceback }, iopub);
  } else if (content.status === "abort") content.status = "aborted";
  else Object.assign(content, { user_expressions: {}, payload: [] });
  reply("execute_reply", content, socket);
};

// startKernel hands these two to what runs the cells.
console.error = (...args: unknown[]) => {
  failure = reported(failure, args);
};
startKernel({ configPath: process.argv[2], enableFindLocal: false, jsKernel: false });
console.log = printValue;
console.error = printError;
stopWaiting = process.listeners("SIGINT").at(-1) as () => void;
process.off("SIGINT", stopWaiting);
