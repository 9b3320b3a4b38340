import { MultiBar, type SingleBar } from "cli-progress";
import type { Progress, ProgressEvent } from "../tensor/progress.ts";

/** Shows the progress of long steps on the terminal until `stop`. */
export interface ProgressDisplay {
  readonly report: Progress;
  stop(): void;
}

/** Where progress goes and what time it is in milliseconds; replaced in tests. */
export interface TerminalProgressOptions {
  readonly stream?: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly now?: () => number;
}

/** The name of the work: "MeZO", or "MeZO: dev" for a part of it. */
export const workName = ({ label, part }: ProgressEvent): string => (part === undefined ? label : `${label}: ${part}`);

/** The numbers of the moment in words, "loss 0.610, dev 68.2 %"; "" where there are none. */
export function workNote({ loss, dev, file, waitSeconds }: ProgressEvent): string {
  const parts = [
    loss !== undefined && `loss ${loss.toFixed(3)}`,
    dev !== undefined && `dev ${(100 * dev).toFixed(1)} %`,
    file,
    waitSeconds !== undefined && `no answer, the hub is asked again in ${waitSeconds} s`,
  ];
  return parts.filter(Boolean).join(", ");
}

const LINE_EVERY = 10_000;
const DRAW_EVERY = 100;

/**
 * A display of progress on stderr, so that stdout holds results only: on a terminal a bar for all work that is
 * under way, with its ETA; elsewhere (a file, a CI log) a line for each at its end and every ten seconds before.
 */
export function terminalProgress({
  stream = process.stderr,
  now = Date.now,
}: TerminalProgressOptions = {}): ProgressDisplay {
  return stream.isTTY === true ? bars(stream, now) : lines(stream, now);
}

function bars(stream: NodeJS.WritableStream, now: () => number): ProgressDisplay {
  // Its own handler of Ctrl-C would swallow the first one; there is no hidden cursor to give back.
  const display = new MultiBar({
    stream,
    format: BAR_FORMAT,
    barsize: 24,
    gracefulExit: false,
    hideCursor: false,
    linewrap: null,
  });
  const open = new Map<string, { bar: SingleBar; started: number }>();
  let drawn = Number.NEGATIVE_INFINITY;
  return {
    report: (event) => {
      const { done, total } = event;
      const name = workName(event);
      const payload = { name, note: workNote(event) };
      const entry = open.get(name) ?? { bar: display.create(total, 0, payload, { etaBuffer: 50 }), started: now() };
      open.set(name, entry);
      entry.bar.setTotal(total);
      entry.bar.update(done, payload);
      if (done >= total) finish(display, open, event, now() - entry.started);
      // The display's timer waits while synchronous kernels run, so it is also drawn from here.
      if (now() - drawn < DRAW_EVERY) return;
      drawn = now();
      display.update();
    },
    stop: () => display.stop(),
  };
}

const BAR_FORMAT = "{name} {bar} {value}/{total} ETA {eta_formatted} {note}";

/** A finished bar becomes a line above those still open. */
function finish(
  display: MultiBar,
  open: Map<string, { bar: SingleBar; started: number }>,
  event: ProgressEvent,
  milliseconds: number,
): void {
  const name = workName(event);
  const { bar } = open.get(name)!;
  open.delete(name);
  bar.stop();
  display.log(`${formatLine(event, `${(milliseconds / 1000).toFixed(1)} s`)}\n`);
  display.remove(bar);
}

function lines(stream: NodeJS.WritableStream, now: () => number): ProgressDisplay {
  const open = new Map<string, { started: number; written: number }>();
  return {
    report: (event) => {
      const { done, total } = event;
      const name = workName(event);
      const times = open.get(name) ?? { started: now(), written: now() };
      open.set(name, times);
      const elapsed = now() - times.started;
      if (done >= total) {
        open.delete(name);
        stream.write(`${formatLine(event, `${(elapsed / 1000).toFixed(1)} s`)}\n`);
      } else if (now() - times.written >= LINE_EVERY) {
        times.written = now();
        stream.write(`${formatLine(event, `ETA ${etaSeconds(event, elapsed)} s`)}\n`);
      }
    },
    stop: () => {},
  };
}

function formatLine(event: ProgressEvent, time: string): string {
  const note = workNote(event);
  return `${workName(event)} ${event.done}/${event.total}, ${time}${note && `, ${note}`}`;
}

function etaSeconds({ done, total }: ProgressEvent, elapsed: number): string {
  return done === 0 ? "?" : Math.ceil((elapsed * (total - done)) / done / 1000).toString();
}
