import { workName, workNote } from "../report/progress.ts";
import { palette } from "../report/style.ts";
import type { Progress, ProgressEvent } from "../tensor/progress.ts";
import { display, type MimeBundle, type Shown, stopIfInterrupted } from "./display.ts";
import { type Drawing, interactive, newPlace, styled } from "./figure.ts";

const BAR_WIDTH = 20;
const SPARK_WIDTH = 24;
const REDRAW_MILLISECONDS = 200;
const BLOCKS = "▁▂▃▄▅▆▇█";

/** A piece of work under way. */
interface Work {
  /** Its losses are kept from part to part of one label. */
  readonly label: string;
  /** When it was first reported, and how much was done then: where it was resumed, all that was done before. */
  readonly started: number;
  readonly doneBefore: number;
  readonly losses: number[];
  done: number;
}

/**
 * Progress for long cells, to be given as `onProgress`: a line that is replaced in place, with a bar, the time left and a sparkline of
 * the loss; of several runs at once, in a cluster, a line each. Throws a KitError, which ends the work, once the reader has pressed Interrupt.
 */
export function liveProgress(): Progress {
  let shown: Shown | undefined;
  let drawn = 0;
  /** By names: a score, which is a part of its own, interrupts the steps. */
  const works = new Map<string, Work>();
  let last: Work | undefined;
  /** The last line of each label whose work is under way. */
  const lines = new Map<string, string>();
  return (event) => {
    stopIfInterrupted();
    const now = Date.now();
    const known = works.get(workName(event));
    const work = known && event.done > known.done ? known : startWork(event, last, now); // each score starts over
    works.set(workName(event), work);
    work.done = event.done;
    last = work;
    const { loss } = event;
    if (loss !== undefined) work.losses.push(loss);
    const isLast = event.done >= event.total;
    if (!isLast && now - drawn < REDRAW_MILLISECONDS) return;
    drawn = now;
    lines.set(event.label, line(event, work, now));
    const bundle = { "text/plain": [...lines.values()].join("\n") };
    if (isLast) lines.delete(event.label);
    if (shown) shown.replace(bundle);
    else shown = display(bundle);
  };
}

/** The first piece of work of a name, or a next one. */
function startWork({ label, part, done }: ProgressEvent, last: Work | undefined, now: number): Work {
  const losses = part !== undefined && last?.label === label ? last.losses : [];
  return { label, started: now, doneBefore: done, losses, done };
}

function line(event: ProgressEvent, work: Work, now: number): string {
  const { done, total } = event;
  const filled = Math.round((Math.min(done, total) / total) * BAR_WIDTH);
  const bar = "█".repeat(filled).padEnd(BAR_WIDTH, "░");
  const time = timeText(total, work, now);
  const parts = [workName(event), bar, `${done}/${total}`, time, workNote(event), spark(work.losses)];
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

const CHART_MILLISECONDS = 1000;

/** How many points a chart has at most: of longer runs each is the mean of a stretch. */
const MOST_POINTS = 200;

/** The losses of a run under way. */
interface Curve {
  readonly label: string;
  readonly steps: number[];
  readonly losses: number[];
}

/**
 * Progress for training cells, to be given as `onProgress`: `liveProgress`, and in a viewer that draws with plotly.js a chart of the loss
 * under it, which grows while the run continues. Where no one looks on, and so in stored notebooks, it is the line alone.
 */
export function liveChart(): Progress {
  const line = liveProgress();
  const place = newPlace();
  let shown: Shown | undefined;
  let drawn = 0;
  let curve: Curve = { label: "", steps: [], losses: [] };
  return (event) => {
    line(event);
    const { label, loss } = event;
    if (loss === undefined || !process.env.MEZO_LIVE) return;
    if (curve.label !== label || event.done <= (curve.steps.at(-1) ?? 0)) curve = { label, steps: [], losses: [] };
    curve.steps.push(event.done);
    curve.losses.push(loss);
    const now = Date.now();
    if (event.done < event.total && now - drawn < CHART_MILLISECONDS) return;
    drawn = now;
    const bundle = chart(curve, place);
    if (shown) shown.replace(bundle);
    else shown = display(bundle);
  };
}

/** The curve in stretches of equal length, each at its last step. */
function thinned({ steps, losses }: Curve): { x: number[]; y: number[] } {
  const size = Math.ceil(steps.length / MOST_POINTS);
  const parts = Array.from({ length: Math.ceil(steps.length / size) }, (_, i) =>
    losses.slice(i * size, (i + 1) * size),
  );
  return {
    x: parts.map((part, i) => steps[i * size + part.length - 1]!),
    y: parts.map((part) => part.reduce((sum, loss) => sum + loss, 0) / part.length),
  };
}

function chart(curve: Curve, place: string): MimeBundle {
  const { label } = curve;
  const drawing: Drawing = {
    data: [{ type: "scatter", mode: "lines", ...thinned(curve), line: { color: palette.vermillion, width: 1.5 } }],
    layout: {
      ...{ height: 260, title: { text: label }, margin: { l: 70, r: 20, t: 40, b: 50 } },
      xaxis: { title: { text: "step" }, rangemode: "tozero" },
      yaxis: { title: { text: "training loss" } },
      uirevision: label, // the reader's zoom is kept while the curve grows
    },
  };
  const figure = styled(drawing);
  return {
    "application/vnd.plotly.v1+json": { data: figure.data, layout: figure.layout },
    "text/html": interactive(figure, undefined, place),
    "text/plain": `[loss of ${label}]`,
  };
}
