import { JSDOM } from "jsdom";
import { expect, test } from "vitest";
import { chart, line, points } from "../../src/notebook/charts.ts";
import { type Knob, sliderHtml } from "../../src/notebook/slider.ts";

const at = (n: number) => ({
  at: `${n}`,
  drawing: chart([line("a <line>", [0, 10], [0, n]), points("marks", [5], [n])], {
    x: { title: "x", range: [0, 10] },
    y: { title: "y", range: [0, 10] },
  }),
  says: `y rises to ${n}`,
});
const knob: Knob = { name: "n", positions: [at(5), at(10)], start: 0 };

/** The output on a page whose scripts run. */
const open = (html: string): Document =>
  new JSDOM(`<body>${html}</body>`, { runScripts: "dangerously" }).window.document;

/** The places of a path, in shares of the frame from its lower left corner. */
function placesOf(path: Element): number[][] {
  const inner = path.parentElement!;
  const [x, y, width, height] = ["x", "y", "width", "height"].map((name) => Number(inner.getAttribute(name)));
  const all = [...path.getAttribute("d")!.matchAll(/[ML]([\d.]+) ([\d.]+)/g)];
  return all.map(([, across, down]) => [(Number(across) - x!) / width!, 1 - (Number(down) - y!) / height!]);
}

const seriesOf = (page: Document): Element[] => [...page.querySelectorAll("path[data-series]")];

test("a slider is a control that keys reach, named by its label, and asks nothing of the network", () => {
  const page = open(sliderHtml(knob));
  const [input] = page.querySelectorAll("input");
  expect(input).toMatchObject({ type: "range", min: "0", max: "1", value: "0", tabIndex: 0 });
  expect(input!.labels![0]!.textContent).toBe("n = 5");
  expect(input!.getAttribute("aria-valuetext")).toBe("5");
  expect(page.querySelectorAll("[src], [href]")).toHaveLength(0);
  expect(page.querySelector('[aria-live="polite"]')!.textContent).toBe("y rises to 5");
});

test("turning it moves the curves to where the numbers are, and changes what is said", () => {
  const page = open(sliderHtml(knob));
  const [a, marks] = seriesOf(page);
  expect(placesOf(a!)).toEqual([
    [0, 0],
    [1, 0.5],
  ]);
  expect(placesOf(marks!)).toEqual([[0.5, 0.5]]);
  const input = page.querySelector("input")!;
  input.value = "1";
  input.dispatchEvent(new page.defaultView!.Event("input"));
  expect(placesOf(a!)).toEqual([
    [0, 0],
    [1, 1],
  ]);
  expect(placesOf(marks!)).toEqual([[0.5, 1]]);
  expect(page.querySelector("label")!.textContent).toBe("n = 10");
  expect(page.querySelector("p")!.textContent).toBe("y rises to 10");
  expect(input.getAttribute("aria-valuetext")).toBe("10");
});

test("where scripts are cut off the picture at the start is left, and names are text", () => {
  const html = sliderHtml(knob).replace(/<script>[\s\S]*<\/script>/, "");
  const page = open(html);
  expect(seriesOf(page).map((path) => path.getAttribute("data-series"))).toEqual(["a <line>", "marks"]);
  expect(placesOf(seriesOf(page)[0]!)[1]).toEqual([1, 0.5]);
  expect(page.querySelectorAll("line")).toHaveLength(0);
});

test("axes without a range have that of all positions, and logarithmic ones their powers of ten", () => {
  const curve = (ys: number[]) => ({
    ...{ at: "", says: "" },
    drawing: chart([line("a", [1, 100], ys)], { x: { title: "x", log: true }, y: "y" }),
  });
  const page = open(sliderHtml({ name: "n", positions: [curve([0, 1]), curve([0, 4])], start: 0 }));
  expect(placesOf(seriesOf(page)[0]!)[1]![1]).toBeCloseTo(0.25, 2);
  const texts = [...page.querySelectorAll("text")].map(({ textContent }) => textContent);
  expect(texts.slice(0, 3)).toEqual(["1", "10", "100"]);
});

test("a knob that is made again has the same bytes, and two knobs of a page have places of their own", () => {
  expect(sliderHtml(knob)).toBe(sliderHtml(knob));
  const idOf = (html: string): string => /id="([^"]+)"/.exec(html)![1]!;
  expect(idOf(sliderHtml(knob))).not.toBe(idOf(sliderHtml({ ...knob, positions: [at(5), at(9)] })));
});
