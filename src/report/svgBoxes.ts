import { textWidth } from "./textWidth.ts";

/** A rectangle in the user units of an SVG. */
interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const EMPTY_BOX: Box = { x: 0, y: 0, width: 0, height: 0 };
const LINE_HEIGHT = 1.3;

/** Gives SVG elements of a jsdom window the measuring methods that plotly.js needs and jsdom lacks. */
export function addMeasuring(svgElement: { prototype: SVGElement }): void {
  Object.assign(svgElement.prototype, {
    getBBox(this: SVGElement): Box {
      return boxOf(this);
    },
    getComputedTextLength(this: SVGElement): number {
      return sizeOfText(this).width;
    },
    getBoundingClientRect(this: SVGElement): Box & Record<"left" | "top" | "right" | "bottom", number> {
      const box = boxOf(this);
      return { ...box, left: box.x, top: box.y, right: box.x + box.width, bottom: box.y + box.height };
    },
  });
}

function boxOf(element: Element): Box {
  const tag = element.tagName.toLowerCase();
  if (tag === "text" || tag === "tspan") return boxOfText(element as SVGElement);
  if (tag === "rect" || tag === "image") {
    const { x, y } = position(element);
    return { x, y, width: attribute(element, "width"), height: attribute(element, "height") };
  }
  return union([...element.children].map(transformedBox).filter(({ width, height }) => width > 0 || height > 0));
}

function boxOfText(element: SVGElement): Box {
  const { size, width, height } = sizeOfText(element);
  if (width === 0) return EMPTY_BOX;
  const { x, y } = position(element);
  const anchor = inherited(element, "textAnchor") || element.getAttribute("text-anchor");
  const share = anchor === "middle" ? 0.5 : anchor === "end" ? 1 : 0;
  return { x: x - share * width, y: y - size, width, height };
}

/** Plotly writes each line of a text as a tspan of class "line". */
function sizeOfText(element: SVGElement): { size: number; width: number; height: number } {
  const size = Number.parseFloat(inherited(element, "fontSize")) || 12;
  const bold = /bold|[6-9]00/.test(inherited(element, "fontWeight"));
  const spans = [...element.querySelectorAll("tspan.line")];
  const lines = spans.length > 0 ? spans : [element];
  const widths = lines.map((line) => textWidth(line.textContent ?? "", { size, bold }));
  return { size, width: Math.max(...widths), height: lines.length * size * LINE_HEIGHT };
}

function inherited(element: Element | null, property: "fontSize" | "fontWeight" | "textAnchor"): string {
  if (element === null) return "";
  const own = (element as Partial<SVGElement>).style?.[property];
  return own || inherited(element.parentElement, property);
}

/** The box of an element as its parent sees it: moved and turned (axis titles stand upright) by its own transform. */
function transformedBox(element: Element): Box {
  const steps = [...(element.getAttribute("transform") ?? "").matchAll(/(translate|rotate)\(([^)]*)\)/g)];
  let box = boxOf(element);
  for (const [, kind, list = ""] of steps.reverse()) {
    const [a = 0, b = 0, c = 0] = list.split(/[\s,]+/).map(Number);
    box = kind === "rotate" ? rotated(box, a, { x: b, y: c }) : { ...box, x: box.x + a, y: box.y + b };
  }
  return box;
}

/** The box around a box that is turned by an angle in degrees about a centre. */
function rotated(box: Box, angle: number, center: { readonly x: number; readonly y: number }): Box {
  const [cos, sin] = [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)];
  const corners = [box.x, box.x + box.width].flatMap((right) =>
    [box.y, box.y + box.height].map((down) => {
      const [x, y] = [right - center.x, down - center.y];
      return { x: center.x + x * cos - y * sin, y: center.y + x * sin + y * cos, width: 0, height: 0 };
    }),
  );
  return union(corners);
}

function union(boxes: readonly Box[]): Box {
  if (boxes.length === 0) return EMPTY_BOX;
  const x = Math.min(...boxes.map((box) => box.x));
  const y = Math.min(...boxes.map((box) => box.y));
  const right = Math.max(...boxes.map((box) => box.x + box.width));
  const bottom = Math.max(...boxes.map((box) => box.y + box.height));
  return { x, y, width: right - x, height: bottom - y };
}

function position(element: Element): { x: number; y: number } {
  return { x: attribute(element, "x"), y: attribute(element, "y") };
}

function attribute(element: Element, name: string): number {
  return Number.parseFloat(element.getAttribute(name) ?? "") || 0;
}
