import { Resvg } from "@resvg/resvg-js";
import { fontOptions } from "./fonts.ts";

/** A text's look, as far as its width depends on it; the size is in pixels. */
export interface TextStyle {
  readonly size: number;
  readonly bold: boolean;
}

const MEASURED_AT = 20;
const cache = new Map<string, number>();

/** The advance width in pixels that a line of text has when resvg draws it. */
export function textWidth(text: string, { size, bold }: TextStyle): number {
  const key = `${bold ? "bold" : "plain"} ${text}`;
  let width = cache.get(key);
  if (width === undefined) {
    // Bars at both ends make white space count; what they take alone is subtracted.
    width = inkWidth(`|${text}|`, bold) - inkWidth("||", bold);
    cache.set(key, width);
  }
  return (width * size) / MEASURED_AT;
}

function inkWidth(text: string, bold: boolean): number {
  const escaped = text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  const weight = bold ? "bold" : "normal";
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text xml:space="preserve" font-family="Arimo" font-size="${MEASURED_AT}" font-weight="${weight}">${escaped}</text></svg>`;
  return new Resvg(svg, { font: fontOptions }).getBBox()?.width ?? 0;
}
