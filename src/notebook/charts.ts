import { isMarked, methodNames } from "../measure/methods.ts";
import { type PaperColumn, paperFor, placeInPaper } from "../measure/paper.ts";
import type { Run } from "../record/run.ts";
import { INK, markOf, palette, QUIET } from "../report/style.ts";
import { headline, type MethodSummary, mean, summarize } from "../report/summary.ts";
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
  const share = (i: number): [number, number] => [(i + (i && 0.08)) / charts.length, (i + 1 - 0.08) / charts.length];
  const isStacked = place === "stacked";
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

/** How many points a curve is averaged into: enough for its shape, few enough to see it through the noise of single batches. */
const POINTS = 20;

/** What is drawn of a run's losses, whether it is finished or not. */
type Losses = Pick<Run, "header" | "steps">;

/** The figure of training losses over the steps: a line a name, the mean of its runs, each point that of a stretch of steps. */
export function lossCurves<R extends Losses>(
  runs: readonly R[],
  nameOf: (run: R) => string = ({ header }) => header.method,
): Drawing {
  const names = [...new Set(runs.map(nameOf))];
  const seeds = new Set(runs.map(({ header }) => header.seed)).size;
  const curves = names.map((name) => {
    const own = runs.filter((run) => nameOf(run) === name);
    const { x, y } = meanCurve(own);
    return line(name, x, y, { ...(methodNames.includes(name) && { like: name }), dash: dashFor(own[0]!) });
  });
  const mean = seeds > 1 ? `, mean of ${seeds} seeds` : "";
  return chart(curves, { x: { title: "step", fromZero: true }, y: `training loss (nats${mean})` });
}

/** What is trained shows in the line too. */
function dashFor({ header: { adapter } }: Losses): "solid" | "dash" | "dot" {
  return ({ LoRA: "dash", prefix: "dot" } as const)[adapter?.name ?? ""] ?? "solid";
}

function meanCurve(runs: readonly Losses[]): { x: number[]; y: number[] } {
  const total = Math.min(...runs.map(({ steps }) => steps.length));
  const size = Math.max(1, Math.ceil(total / POINTS));
  const parts = Array.from({ length: Math.ceil(total / size) }, (_, i) => [i * size, Math.min(total, (i + 1) * size)]);
  const lossIn = (run: Losses, from: number, to: number): number =>
    mean(run.steps.slice(from, to).map(({ losses }) => mean(losses)));
  return {
    x: parts.map(([, to]) => runs[0]!.steps[to! - 1]!.step + 1),
    y: parts.map(([from, to]) => mean(runs.map((run) => lossIn(run, from!, to!)))),
  };
}

/** The figure of test scores by method: ours with standard errors as filled marks, the paper's as open ones, the majority class dashed. */
export function methodScores(runs: readonly Run[], paper: PaperColumn = paperFor(runs)): Drawing {
  const summaries = summarize(runs).filter(({ method }) => isMarked(method));
  const floor = summarize(runs).find(({ method }) => !isMarked(method));
  const names = summaries.map(({ method }) => method);
  const known = names.filter((method) => paper.scores[method] !== undefined);
  const { model, task, metric } = headline(runs);
  const errors = summaries.map(({ standardError }) => 100 * standardError);
  const ours = points(
    `this kit: ${model}`,
    names,
    names.map((_, i) => 100 * summaries[i]!.score),
    { errors },
  );
  const marks = names.map(markOf);
  const range = [lowest(summaries, floor), 100] as const;
  const drawn = chart(
    [
      {
        ...ours,
        marker: { size: 10, color: marks.map(({ color }) => color), symbol: marks.map(({ symbol }) => symbol) },
      },
      points(
        `paper: ${paper.model}, ${paper.table}`,
        known,
        known.map((method) => paper.scores[method]!),
        {
          ...{ color: QUIET, symbol: "circle-open" },
        },
      ),
      ...(floor ? [majorityLine([names[0]!, names.at(-1)!], 100 * floor.score)] : []),
    ],
    { x: "", y: { title: `${task} test ${metric} (%)`, range } },
  );
  return { ...drawn, layout: { ...drawn.layout, xaxis: { showgrid: false, range: [-0.5, names.length - 0.5] } } };
}

const majorityLine = (ends: readonly string[], score: number): Series =>
  line("majority class", ends, [score, score], { color: QUIET, dash: "dash" });

/** Ten below the lowest ten that a score lies above: near enough for error bars to be seen. */
function lowest(summaries: readonly MethodSummary[], floor: MethodSummary | undefined): number {
  const scores = [...summaries, ...(floor ? [floor] : [])].map(({ score }) => 100 * score);
  return Math.max(0, 10 * Math.floor(Math.min(...scores) / 10) - 10);
}

/** Room of a task that its marks are spread over. */
const SPREAD = 0.52;

/**
 * The figure of test scores by task: in each task's column a filled mark for each method with its standard error, an open one of the same
 * colour and shape for the paper's, and the majority class as a dash. Throws as `summarize` does.
 */
export function taskScores(runs: readonly Run[], shown: readonly string[]): Drawing {
  const tasks = [...new Set(runs.map(({ header }) => header.task))].sort((a, b) => placeInPaper(a) - placeInPaper(b));
  const columns = tasks.map((task) => {
    const own = runs.filter(({ header }) => header.task === task);
    return { summaries: summarize(own), paper: paperFor(own).scores };
  });
  const drawn = shown.flatMap((method, m) => {
    const at = (i: number): number => i + SPREAD * (shown.length === 1 ? 0 : m / (shown.length - 1) - 0.5);
    const ours = columns.flatMap(({ summaries }, i) => {
      const found = summaries.find((one) => one.method === method);
      return found ? [{ x: at(i), ...found }] : [];
    });
    const theirs = columns.flatMap(({ paper }, i) =>
      paper[method] === undefined ? [] : [{ x: at(i), y: paper[method] }],
    );
    return [
      points(
        method,
        ours.map(({ x }) => x),
        ours.map(({ score }) => 100 * score),
        {
          ...{ like: method, errors: ours.map(({ standardError }) => 100 * standardError) },
        },
      ),
      points(
        method,
        theirs.map(({ x }) => x),
        theirs.map(({ y }) => y),
        {
          ...{ like: method, symbol: `${markOf(method).symbol}-open`, named: false },
        },
      ),
    ];
  });
  return chart([majorityDashes(columns), ...drawn, paperEntry], {
    x: { title: "", ticks: tasks.map((_, i) => i), labels: tasks, range: [-0.5, tasks.length - 0.5] },
    y: { title: "test score (%)", range: [0, 100] },
  });
}

/** What the legend says of open marks. */
const paperEntry: Series = {
  ...points("open: the paper’s", [], [], { color: QUIET, symbol: "circle-open" }),
  ...{ x: [null], y: [null] },
};

/** Below the marks, and after them in the legend. */
function majorityDashes(columns: readonly { readonly summaries: readonly MethodSummary[] }[]): Series {
  const floors = columns.flatMap(({ summaries }, i) => {
    const floor = summaries.find(({ method }) => !isMarked(method));
    return floor ? [{ i, y: 100 * floor.score }] : [];
  });
  return {
    ...line("majority class", [], [], { color: QUIET }),
    x: floors.flatMap(({ i }) => [i - 0.4, i + 0.4, null]),
    ...{ y: floors.flatMap(({ y }) => [y, y, null]), legendrank: 2000 },
  };
}

export { palette };
