import { INK, markOf } from "../report/style.ts";
import type { Drawing } from "./figure.ts";

/** A series of a drawing, as plotly.js takes it. */
export type Series = Readonly<Record<string, unknown>>;

/** How a series is told from others; without any, it takes the next colour of the kit's palette. */
export interface Look {
  /** A method of the paper's tables, whose colour and shape the series takes. */
  readonly like?: string;
  /** One of `palette`, or any other of CSS. */
  readonly color?: string;
  /** A symbol of plotly.js: "circle", "square", "diamond"; with "-open" for what the paper reports. */
  readonly symbol?: string;
  readonly dash?: "solid" | "dash" | "dot";
  /** Standard errors, drawn as bars: of y, or of x where y has names. */
  readonly errors?: readonly number[];
  /** Whether the legend names it; it does where nothing is said. */
  readonly named?: boolean;
}

type Values = readonly (number | string)[];

/** Marks at (x, y). */
export function points(name: string, x: Values, y: Values, look: Look = {}): Series {
  const { color, symbol } = markFor(look);
  const open = symbol?.endsWith("open") ? { line: { width: 2 } } : {};
  return {
    ...series(name, x, y, look),
    mode: "markers",
    marker: { ...(color && { color }), symbol, size: 10, ...open },
  };
}

/** A line through the points (x, y). */
export function line(name: string, x: Values, y: Values, look: Look = {}): Series {
  const { color } = markFor(look);
  const drawn = { width: 2, dash: look.dash ?? "solid", ...(color && { color }) };
  return { ...series(name, x, y, look), mode: "lines", line: drawn };
}

/** A line with a mark at each of its points. */
export function markedLine(name: string, x: Values, y: Values, look: Look = {}): Series {
  return { ...points(name, x, y, look), ...{ line: line(name, x, y, look).line }, mode: "lines+markers" };
}

function markFor({ like, color, symbol }: Look): { readonly color?: string; readonly symbol?: string } {
  const mark = like === undefined ? { symbol: "circle" } : markOf(like);
  return { ...mark, ...(color && { color }), ...(symbol && { symbol }) };
}

function series(name: string, x: Values, y: Values, { errors, named = true }: Look): Series {
  const across = typeof y[0] === "string" ? "error_x" : "error_y";
  return {
    ...{ type: "scatter", name, legendgroup: name, showlegend: named, x: x.map(rounded), y: y.map(rounded) },
    ...(errors && { [across]: { type: "data", array: errors.map(rounded), color: INK, thickness: 1.8, width: 6 } }),
  };
}

/** Four digits are more than a picture shows, and keep a stored notebook small. */
const rounded = (value: number | string): number | string =>
  typeof value === "number" ? Number(value.toPrecision(4)) : value;

/** What an axis says and shows. */
export interface Axis {
  readonly title: string;
  readonly log?: boolean;
  readonly range?: readonly [number, number];
  readonly fromZero?: boolean;
  /** Where its ticks stand, and what they say where that is not the number. */
  readonly ticks?: readonly number[];
  readonly labels?: readonly string[];
}

/** A drawing of series over one pair of axes, its legend above; an axis that is given by its title alone is linear. */
export function chart(
  drawn: readonly Series[],
  axes: { readonly x: string | Axis; readonly y: string | Axis },
): Drawing {
  return {
    data: drawn,
    layout: {
      xaxis: axisLayout(axes.x),
      yaxis: axisLayout(axes.y),
      ...{ showlegend: true, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" } },
    },
  };
}

function axisLayout(axis: string | Axis): Series {
  if (typeof axis === "string") return { title: { text: axis } };
  const { title, log, range, fromZero, ticks, labels } = axis;
  return {
    title: { text: title },
    ...(log && { type: "log" }),
    ...(range && { range: log ? range.map(Math.log10) : range }),
    ...(fromZero && { rangemode: "tozero" }),
    ...(ticks && { tickvals: ticks }),
    ...(labels && { ticktext: labels, showgrid: false }),
  };
}

/** Charts beside one another, or one above the other, under one legend. */
export function panels(charts: readonly Drawing[], place: "side by side" | "stacked"): Drawing {
  const isStacked = place === "stacked";
  const gap = isStacked ? 0.13 : 0.08; // a title stands between those that are stacked
  const share = (i: number): [number, number] => [(i + (i && gap)) / charts.length, (i + 1 - gap) / charts.length];
  const parts = charts.map(({ data, layout = {} }, i) => {
    const [x, y] = i === 0 ? ["x", "y"] : [`x${i + 1}`, `y${i + 1}`];
    const domain = isStacked ? share(charts.length - 1 - i) : share(i);
    return {
      data: data.map((one) => ({ ...one, xaxis: x, yaxis: y, showlegend: i === 0 && one.showlegend !== false })),
      axes: {
        [x.replace("x", "xaxis")]: { ...(layout.xaxis as Series), anchor: y, ...(!isStacked && { domain }) },
        [y.replace("y", "yaxis")]: { ...(layout.yaxis as Series), anchor: x, ...(isStacked && { domain }) },
      },
    };
  });
  const height = isStacked ? { height: 380 * charts.length } : {};
  const { legend } = charts[0]!.layout as { legend: unknown };
  return {
    data: parts.flatMap(({ data }) => data),
    layout: { ...height, showlegend: true, legend, ...Object.assign({}, ...parts.map(({ axes }) => axes)) },
  };
}

/** Bars from the left, the first on top, each with its name and number; `like` has the method of each for its colour. */
export function bars(
  names: readonly string[],
  values: readonly number[],
  title: string,
  like: readonly string[] = names,
): Drawing {
  const down = [...values].reverse();
  return {
    data: [
      {
        ...{ type: "bar", orientation: "h", y: [...names].reverse(), x: down.map(rounded) },
        ...{ text: down.map((value) => String(rounded(value))), textposition: "outside", cliponaxis: false },
        marker: { color: [...like].reverse().map((method) => markOf(method).color) },
      },
    ],
    layout: { xaxis: { title: { text: title } }, yaxis: { showgrid: false }, margin: { l: 190, r: 60, t: 30, b: 60 } },
  };
}
