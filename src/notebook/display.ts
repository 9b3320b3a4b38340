import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** One output in several forms, by MIME type; a viewer shows the richest that it knows. */
export type MimeBundle = Readonly<Record<string, unknown>>;

/** The parts of tslab that write to the notebook; its public functions write one MIME type each. */
interface Kernel {
  lastWriteDisplayData?: ((message: object, update: boolean) => void) | null;
}

/** An output that can be replaced in place. */
export interface Shown {
  /** Puts another output in its place; only the last one is stored. */
  replace(bundle: MimeBundle): void;
}

/** Shows an output in the cell that runs. Outside a notebook its text is printed. */
export function display(bundle: MimeBundle): Shown {
  const id = randomBytes(8).toString("hex");
  write(bundle, id, false);
  return { replace: (next) => write(next, id, true) };
}

function write(data: MimeBundle, id: string, isUpdate: boolean): void {
  const send = kernel()?.lastWriteDisplayData;
  if (send) send({ data, metadata: {}, transient: { display_id: id } }, isUpdate);
  else if (!isUpdate && data["text/plain"] !== undefined) process.stdout.write(`${String(data["text/plain"])}\n`);
}

function kernel(): Kernel | undefined {
  return Object.keys(require.cache).some((file) => /tslab[\\/]dist[\\/]jupyter\.js$/.test(file))
    ? (require("tslab/dist/jupyter.js") as Kernel)
    : undefined;
}

/**
 * tslab 1.0.22 does not await its sends, and zeromq.js 6 makes every 513th of them asynchronous and refuses others meanwhile, so that a
 * stock kernel loses output. With no time to wait, none is asynchronous.
 */
function keepOutput(): void {
  if (!kernel()) return;
  const { Publisher } = require("zeromq") as { Publisher: { prototype: Socket } };
  const plain = Publisher.prototype.send;
  // The inherited method is read-only: a plain assignment would be ignored.
  Object.defineProperty(Publisher.prototype, "send", {
    ...{ configurable: true, writable: true },
    value(this: Socket, message: unknown) {
      this.sendTimeout = 0;
      return plain.call(this, message);
    },
  });
}

interface Socket {
  sendTimeout: number;
  send(message: unknown): Promise<void>;
}

keepOutput();
