import type { Progress } from "../tensor/progress.ts";
import { display, type Shown } from "./display.ts";
import { stopIfInterrupted } from "./interrupt.ts";

const BAR_WIDTH = 20;
const SPARK_WIDTH = 24;
const REDRAW_MILLISECONDS = 200;
const BLOCKS = "▁▂▃▄▅▆▇█";

/** A piece of work under way. */
interface Work {
  /** The label without its part: "MeZO" of "MeZO: dev"; its losses are kept from part to part. */
  readonly method: string;
  /** When it was first heard of, and how much was done then: all that was done before, where it was gone on with. */
  readonly started: number;
  readonly doneBefore: number;
  readonly losses: number[];
  done: number;
}

/**
 * Progress for long cells, to be given as `onProgress`: one line that is replaced in place, with a bar, the time left and a sparkline of
 * the loss. Throws a KitError, which ends the work, once the reader has pressed Interrupt.
 */
export function liveProgress(): Progress {
  let shown: Shown | undefined;
  let drawn = 0;
  /** By labels, since steps go on after a score, which is a part with a label of its own. */
  const works = new Map<string, Work>();
  let last: Work | undefined;
  return (event) => {
    stopIfInterrupted();
    const now = Date.now();
    const known = works.get(event.label);
    const work = known && event.done > known.done ? known : begun(event, last, now); // each score begins anew
    works.set(event.label, work);
    work.done = event.done;
    last = work;
    const loss = lossIn(event);
    if (loss !== undefined) work.losses.push(loss);
    const isLast = event.done >= event.total;
    if (!isLast && now - drawn < REDRAW_MILLISECONDS) return;
    drawn = now;
    const bundle = { "text/plain": line(event, work, now) };
    if (shown) shown.replace(bundle);
    else shown = display(bundle);
  };
}

/** The first piece of work with a label, or a next one. */
function begun(event: Parameters<Progress>[0], last: Work | undefined, now: number): Work {
  const { label, done } = event;
  const method = methodIn(event);
  const losses = label !== method && last?.method === method ? last.losses : [];
  return { method, started: now, doneBefore: done, losses, done };
}

/** The method and seed of an event, without the part of the work: "MeZO" of "MeZO: dev". */
export const methodIn = ({ label }: Parameters<Progress>[0]): string => label.split(":")[0]!;

/** The loss that an event's note tells of, where it does. */
export function lossIn({ note = "" }: Parameters<Progress>[0]): number | undefined {
  const loss = /loss (-?[\d.]+)/.exec(note)?.[1];
  return loss === undefined ? undefined : Number(loss);
}

function line({ label, done, total, note }: Parameters<Progress>[0], work: Work, now: number): string {
  const filled = Math.round((Math.min(done, total) / total) * BAR_WIDTH);
  const bar = "█".repeat(filled).padEnd(BAR_WIDTH, "░");
  const parts = [label, bar, `${done}/${total}`, timeText(total, work, now), note, spark(work.losses)];
  return parts.filter(Boolean).join("  ");
}

/** Stored outputs have no times in them, so that a notebook that is run again changes in nothing else (MEZO_CLEAN). */
function timeText(total: number, { started, done, doneBefore }: Work, now: number): string {
  if (done >= total) return process.env.MEZO_CLEAN ? "" : duration(now - started);
  return done === doneBefore ? "" : `ETA ${duration(((now - started) * (total - done)) / (done - doneBefore))}`;
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
