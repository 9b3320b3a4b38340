import { JSDOM } from "jsdom";
import { expect, test } from "vitest";
import { addMeasuring } from "../../src/report/render.ts";

const svgNamespace = "http://www.w3.org/2000/svg";

function element(markup: string): SVGGElement {
  const { window } = new JSDOM(`<svg xmlns="${svgNamespace}"><g>${markup}</g></svg>`, { runScripts: "outside-only" });
  addMeasuring(window.SVGElement as unknown as { prototype: SVGElement });
  return window.document.querySelector("g")!;
}

test("a group's box is the union of its children's, moved by their transforms", () => {
  const group = element(
    '<rect x="1" y="2" width="10" height="5"/><rect x="0" y="0" width="2" height="2" transform="translate(20,30)"/>',
  );
  expect(group.getBBox()).toMatchObject({ x: 1, y: 2, width: 21, height: 30 });
});

test("an upright text is as tall as it is wide when it lies", () => {
  const lying = element('<text x="30" y="100" text-anchor="middle" style="font-size: 15px">Accuracy</text>').getBBox();
  const upright = element(
    '<text x="30" y="100" text-anchor="middle" style="font-size: 15px" transform="rotate(-90,30,100)">Accuracy</text>',
  ).getBoundingClientRect();
  expect(lying.width).toBeGreaterThan(50);
  expect(upright.height).toBeCloseTo(lying.width, 9);
  expect(upright.width).toBeCloseTo(lying.height, 9);
  // It is centred on its anchor's height, and its capitals reach left of the anchor.
  expect((upright.top + upright.bottom) / 2).toBeCloseTo(100, 9);
  expect(upright.left).toBeCloseTo(15, 9);
});

test("text of several lines is as wide as the widest", () => {
  const lines = '<tspan class="line">MeZO</tspan><tspan class="line">MM</tspan>';
  const text = element(`<text style="font-size: 20px">${lines}</text>`).querySelector("text")!;
  expect(text.getComputedTextLength()).toBeCloseTo(55.56, 1);
  expect(text.getBBox().height).toBeCloseTo(52, 9);
});
