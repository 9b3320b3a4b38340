import { expect, test } from "vitest";
import { textWidth } from "../../src/report/render.ts";

test("widths are Arial's: M 833, e 556, Z 611, O 778, space 278 thousandths of the size", () => {
  expect(textWidth("MeZO", { size: 20, bold: false })).toBeCloseTo(20 * 2.778, 1);
  expect(textWidth(" ", { size: 100, bold: false })).toBeCloseTo(27.8, 1);
  expect(textWidth("", { size: 20, bold: false })).toBe(0);
});

test("bold is wider and markup counts as the characters that it stands for", () => {
  expect(textWidth("paper", { size: 20, bold: true })).toBeGreaterThan(textWidth("paper", { size: 20, bold: false }));
  expect(textWidth("<", { size: 1000, bold: false })).toBeCloseTo(584, -1);
  expect(textWidth("&", { size: 1000, bold: false })).toBeCloseTo(667, -1);
});
