import { join, resolve } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { Figure } from "../report/figure.ts";
import { FONT_FAMILY } from "../report/fonts.ts";
import { toPng, toSvg } from "../report/render.ts";
import { FONT_SIZE, INK } from "../report/style.ts";
import { writeTogether } from "../report/write.ts";
import { display } from "./display.ts";
import { interactive } from "./interactive.ts";
import { unlessInterrupted } from "./interrupt.ts";
import { isSmoke } from "./places.ts";

/** A picture as plotly.js takes it, its size left to the notebook where it has none. */
export interface Drawing {
  readonly data: readonly Readonly<Record<string, unknown>>[];
  readonly layout?: Readonly<Record<string, unknown>>;
}

/** Sharp enough to read, and small enough for a notebook of several figures to stay under 300 KB. */
const STORED_PIXELS_PER_UNIT = 1.5;

const SIZE = { width: 800, height: 460 };

const AXIS = {
  ...{ showline: true, linecolor: INK, ticks: "outside", zeroline: false, gridcolor: "#e2e2e2" },
  automargin: true,
};

/**
 * Shows a figure, interactive where the viewer can and as a PNG everywhere, and writes it as ../figures/<name>.svg and .png (smoke runs:
 * ../figures/smoke). Axes, fonts and size are the kit's where the layout does not say otherwise.
 */
export async function figure(name: string, drawing: Drawing): Promise<void> {
  const drawn = styled(drawing);
  await setImmediate(); // ends the cell's synchronous part, in which Node stops the loading of a module halfway
  const svg = await unlessInterrupted(toSvg(drawn));
  const png = await unlessInterrupted(toPng(svg));
  const folder = resolve("..", "figures", isSmoke() ? "smoke" : "");
  await writeTogether(
    new Map<string, string | Uint8Array>([
      [join(folder, `${name}.svg`), svg],
      [join(folder, `${name}.png`), png],
    ]),
  );
  display({
    "application/vnd.plotly.v1+json": { data: drawn.data, layout: drawn.layout },
    "image/png": Buffer.from(await toPng(svg, STORED_PIXELS_PER_UNIT)).toString("base64"),
    "text/plain": `[figure ${name}]`,
    ...(process.env.MEZO_LIVE && { "text/html": interactive(drawn, png) }),
  });
}

/** A logarithmic axis has ticks at powers of ten alone, where it does not say otherwise. */
function axisLike(axis: { readonly type?: string; readonly tickvals?: unknown }): object {
  return axis.type === "log" && !axis.tickvals ? { ...AXIS, dtick: 1, exponentformat: "power" } : AXIS;
}

/** The drawing with what it leaves out: white ground, the kit's fonts, axes with lines and ticks. */
export function styled({ data, layout = {} }: Drawing): Figure {
  const axes = Object.entries(layout).filter(([key]) => /^[xy]axis/.test(key));
  const plain = { xaxis: AXIS, yaxis: AXIS };
  return {
    data,
    layout: {
      ...SIZE,
      ...{ paper_bgcolor: "#ffffff", plot_bgcolor: "#ffffff", margin: { l: 70, r: 20, t: 50, b: 60 } },
      font: { family: FONT_FAMILY, size: FONT_SIZE, color: INK },
      ...plain,
      ...layout,
      ...Object.fromEntries(axes.map(([key, axis]) => [key, { ...axisLike(axis as object), ...(axis as object) }])),
    },
  };
}
