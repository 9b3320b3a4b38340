import { KitError } from "../../error.ts";
import type { GpuDevice } from "./gpu.ts";

/** What a device reported that no call threw: it computes on with zeros, so whoever reads next has to be told. */
export interface Faults {
  /** Notes a sentence that is thrown once, by the next `check`; the first one counts, before what the device refused for its sake. */
  readonly report: (sentence: string) => void;
  /** Waits for an answer of the device that may be a report. */
  readonly follow: (answer: Promise<unknown>) => void;
  /** Throws a KitError for what was reported; where the device was lost, every time. */
  readonly check: () => void;
  /** Waits until the device answered what was asked so far, and then throws as `check` does. */
  readonly settle: () => Promise<void>;
  /** What to throw for an error of the device's: that it was lost, where it was. */
  readonly explain: (error: unknown) => Promise<unknown>;
}

const known = new WeakMap<object, Faults>();

/** The faults of a device, which is watched from the first call on. */
export function faultsOf(device: GpuDevice): Faults {
  const found = known.get(device) ?? watch(device);
  known.set(device, found);
  return found;
}

function watch(device: GpuDevice): Faults {
  let reported: string | undefined;
  let refused: string | undefined;
  let lost: string | undefined;
  const answers = new Set<Promise<unknown>>();
  const report = (sentence: string): void => {
    reported ??= sentence;
  };
  device.addEventListener("uncapturederror", (event) => {
    event.preventDefault?.(); // nor is it printed
    refused ??= refusal(event.error.message);
  });
  const end = device.lost.then(({ reason, message }) => {
    lost = `The GPU was lost (${[reason, firstLine(message)].filter(Boolean).join(": ")}): the run stopped there; start it again with --resume, in a new process.`;
  });
  const check = (): void => {
    const sentence = lost ?? reported ?? refused;
    reported = undefined;
    refused = undefined;
    if (sentence) throw new KitError(sentence);
  };
  return {
    report,
    check,
    follow: (answer) => {
      const settled: Promise<unknown> = answer.catch(() => {}).finally(() => answers.delete(settled)); // refused where the device is lost
      answers.add(settled);
    },
    settle: async () => {
      await Promise.all(answers);
      await new Promise(setImmediate); // reports that go together come together
      check();
    },
    explain: async (error) => {
      if (error instanceof KitError) return error;
      await Promise.race([end, new Promise((done) => setTimeout(done, NOTICE_MS))]);
      return lost ? new KitError(lost) : error;
    },
  };
}

/** How long a device takes at most to say that it was lost, where a command failed. */
const NOTICE_MS = 1000;

const refusal = (message: string): string =>
  `The GPU refused a command (${firstLine(message)}), so what was computed with it is void: run it on another backend, such as native.`;

/** Dawn's messages go on with what was being called. */
const firstLine = (message: string): string => message.split("\n")[0]!.trim().replace(/\.$/, "");
