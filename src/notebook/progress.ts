import type { Progress } from "../tensor/progress.ts";
import { display, type Shown } from "./display.ts";
import { stopIfInterrupted } from "./interrupt.ts";

const BAR_WIDTH = 20;
const SPARK_WIDTH = 24;
const REDRAW_MILLISECONDS = 200;
const BLOCKS = "▁▂▃▄▅▆▇█";

/** A piece of work under way. */
interface Work {
  readonly label: string;
  /** The label without its part: "MeZO" of "MeZO: dev"; its losses are kept from part to part. */
  readonly method: string;
  readonly started: number;
  readonly losses: number[];
}

/**
 * Progress for long cells, to be given as `onProgress`: one line that is replaced in place, with a bar, the time left and a sparkline of
 * the loss. Throws a KitError, which ends the work, once the reader has pressed Interrupt.
 */
export function liveProgress(): Progress {
  let shown: Shown | undefined;
  let drawn = 0;
  let work: Work | undefined;
  return (event) => {
    stopIfInterrupted();
    const now = Date.now();
    const method = event.label.split(":")[0]!;
    if (work?.label !== event.label)
      work = { label: event.label, method, started: now, losses: work?.method === method ? work.losses : [] };
    const loss = /loss (-?[\d.]+)/.exec(event.note ?? "")?.[1];
    if (loss !== undefined) work.losses.push(Number(loss));
    const isLast = event.done >= event.total;
    if (!isLast && now - drawn < REDRAW_MILLISECONDS) return;
    drawn = now;
    const bundle = { "text/plain": line(event, work, now) };
    if (shown) shown.replace(bundle);
    else shown = display(bundle);
  };
}

function line({ label, done, total, note }: Parameters<Progress>[0], work: Work, now: number): string {
  const filled = Math.round((Math.min(done, total) / total) * BAR_WIDTH);
  const bar = "█".repeat(filled).padEnd(BAR_WIDTH, "░");
  const parts = [label, bar, `${done}/${total}`, timeText(done, total, now - work.started), note, spark(work.losses)];
  return parts.filter(Boolean).join("  ");
}

/** Stored outputs have no times in them, so that a notebook that is run again changes in nothing else (MEZO_CLEAN). */
function timeText(done: number, total: number, elapsed: number): string {
  if (done >= total) return process.env.MEZO_CLEAN ? "" : duration(elapsed);
  return done === 0 ? "" : `ETA ${duration((elapsed * (total - done)) / done)}`;
}

function duration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

/** The values, averaged into a few blocks of heights from their lowest to their highest. */
export function spark(values: readonly number[]): string {
  if (values.length < 2) return "";
  const width = Math.min(SPARK_WIDTH, values.length);
  const means = Array.from({ length: width }, (_, i) => {
    const part = values.slice(Math.floor((i * values.length) / width), Math.floor(((i + 1) * values.length) / width));
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
  const [low, high] = [Math.min(...means), Math.max(...means)];
  const height = (value: number): number => (high > low ? Math.round((7 * (value - low)) / (high - low)) : 0);
  return means.map((value) => BLOCKS[height(value)]).join("");
}
